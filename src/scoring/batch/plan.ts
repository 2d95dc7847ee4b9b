import { throwFaults } from "../../errors.js";
import type { SampleFactors } from "../../importance/factors.js";
import { labelNeed, suitableSignals } from "../../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { LossName, SignalName } from "../../importance/types.js";
import type { WeighOptions } from "../../importance/weigh-options.js";
import {
  type AnsweringGraph,
  type ModelDescription,
  modelId,
  type Precision,
  type Ranker,
} from "../../ranker/port.js";
import type { TrainingCheckpoint } from "../../store/dataset-records.js";
import type { DirectionStore } from "../../store/port.js";
import { type ResolvedDirection, resolveDirection } from "../directions/known.js";
import type { KeptMatrix, WantedRecord } from "../ports.js";
import {
  type AskedSignal,
  checkGroups,
  checkIds,
  checkLabels,
  checkSignals,
  lackOf,
  readingsOf,
  runFor,
  signalsOf,
  suitLoss,
  suitPrecision,
} from "../requests/checks.js";
import { type LabelledTexts, labelledTexts, type Sample } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";
import {
  DEFAULT_WEIGHTING,
  sampleFactors,
  type WeightingRequest,
  weighedSignals,
  weighOptions,
} from "../requests/weighting.js";
import type { NamedCheckpoint, OpenModels } from "./open-models.js";
import {
  checkTrajectory,
  commonScope,
  type ReferenceSource,
  suitDirection,
  suitReference,
} from "./plan-compared.js";
import { type LearnedPlan, planLearned } from "./plan-learned.js";
import type { ReadyCheckpoint } from "./trajectory.js";

/** What to do for a request. It exists only if the request has no fault that can be found without a run. */
export interface ScoringPlan {
  /** The model that scores the samples. */
  readonly ranker: Ranker;
  readonly loss: LossName;
  readonly samples: readonly Sample[];
  readonly labelled: LabelledTexts;
  /** What to run of this model. */
  readonly run: PlannedRun;
  readonly precision: Precision;
  /** The gradient scope of the signals; null if none reads gradients. */
  readonly gradientScope: string | null;
  /** Signals to compute: those that were asked for, and those that the weighting reads. */
  readonly computed: readonly SignalName[];
  readonly weighting: PlannedWeighting | null;
  /** The source of the reference losses of `rho`; null if `rho` is not computed. */
  readonly reference: ReferenceSource | null;
  /** Checkpoints over which `influence` is summed; empty if it is measured along `direction`. */
  readonly trajectory: readonly NamedCheckpoint[];
  /** What `learned` reads; null if it is not computed. */
  readonly learned: LearnedPlan | null;
  /** The dataset that is to remember the samples, and the id of each sample; null if no dataset is named. */
  readonly remembered: Remembered | null;
  readonly advice: readonly string[];
}

/** Where the samples are remembered. */
interface Remembered {
  readonly dataset: string;
  readonly ids: readonly string[]; // (N)
  /** The checkpoint by which their histories keep the logits; null if the request names none. */
  readonly checkpoint: TrainingCheckpoint | null;
}

/** A graph for every sample, with the extra matrices asked of it; or gradients for a fraction of the batch. */
export type PlannedRun =
  | Exclude<WantedRecord, { graph: "tangent" }>
  | { readonly graph: "tangent"; readonly direction: string; readonly asked: readonly KeptMatrix[] }
  | { readonly graph: "fraction"; readonly exact: ExactFraction; readonly asked: readonly KeptMatrix[] };

/** Which fraction of a batch to score exactly. */
export interface ExactFraction {
  /** Above 0, at most 1. */
  readonly fraction: number;
  /** Another seed draws other samples. */
  readonly seed: number;
}

export interface PlannedWeighting {
  readonly request: WeightingRequest;
  readonly options: WeighOptions;
  readonly factors: SampleFactors;
}

/**
 * Plans the work for a request and finds its faults. Throws `unsuitable_*`, `missing_*`, `duplicate_id` or `invalid_sample`.
 */
export function planScoring(request: ScoreRequest, models: OpenModels): ScoringPlan {
  const { samples, dataset } = request;
  const { ranker, trajectory } = models;
  const { model } = ranker;
  const hasTrajectory = request.trajectory !== undefined;
  const loss = suitLoss(request.loss, model);
  const ids = checkIds(samples, dataset);
  checkLabels(samples, loss, model.classes);
  checkGroups(samples, loss);

  const { weighting, advice } = planWeighting(request, loss, model);
  const asked: AskedSignal[] = [
    ...(request.signals ?? []).map((signal, index) => ({ signal, path: `/signals/${index}` })),
    ...(weighting === null ? [] : weighedSignals(weighting)),
  ];
  const learnedPath = asked.find(({ signal }) => signal === "learned")?.path;
  const learned = learnedPath === undefined ? null : planLearned(request, learnedPath, loss, model);
  checkSignals([...asked, ...(learned?.asked ?? [])], samples, loss, model, hasTrajectory);
  const wanted = request.signals ?? defaultSignals(samples, loss, model.classes);
  const computed = [...new Set([...wanted, ...asked.map(({ signal }) => signal)])];
  const options = weighting && weighOptions(weighting);

  const direction = suitDirection(request, asked);
  const reference = suitReference(request, computed, models);
  if (hasTrajectory) checkTrajectory(computed, models);
  const exact = suitExactFraction(request, computed);
  const readings = readingsOf([...computed, ...(learned?.signals ?? [])], hasTrajectory);
  const { graph, asked: matrices } = runFor(
    new Set([...readings, ...(learned?.features ? ["features"] : [])]),
  );
  const own = graph === "forward" ? null : model.gradientScope;
  const gradientScope = trajectory.length === 0 ? own : commonScope(own, trajectory);
  const precision = learned === null ? suitPrecision(request.precision, graph, model) : "fp32";
  return {
    ranker,
    loss,
    samples,
    labelled: labelledTexts(samples, loss),
    precision,
    run:
      exact === null
        ? runOf(graph, { direction, precision, asked: matrices })
        : { graph: "fraction", exact, asked: matrices },
    gradientScope,
    computed,
    weighting: weighting &&
      options && { request: weighting, options, factors: sampleFactors(samples, options, model.classes) },
    reference,
    trajectory,
    learned,
    remembered: dataset === undefined ? null : { dataset, ids, checkpoint: request.checkpoint ?? null },
    advice: [...advice, ...(learned?.advice ?? [])],
  };
}

interface RunNeeds {
  /** Name of the direction along which signals are measured; null if no signal is. */
  readonly direction: string | null;
  readonly precision: Precision;
  readonly asked: readonly KeptMatrix[];
}

function runOf(graph: AnsweringGraph, { direction, precision, asked }: RunNeeds): PlannedRun {
  if (direction !== null) return { graph: "tangent", direction, asked };
  return graph === "forward" ? { graph, precision, asked } : { graph: "norms", asked };
}

/** The signals of a request that names none. */
export function defaultSignals(samples: readonly Sample[], loss: LossName, classes: number): SignalName[] {
  const labelled: SignalName[] = ["loss", "grad_norm_last"];
  const labelFree = suitableSignals(loss).filter(
    (name) => SIGNAL_TABLE[name].reads.length === 0 && labelNeed(name, classes) === "none",
  );
  const isLabelled = (sample: Sample): boolean => lackOf(sample, "loss", classes) === null;
  return [...(samples.some(isLabelled) ? labelled : []), ...(samples.every(isLabelled) ? [] : labelFree)];
}

function planWeighting(
  { weighting, samples }: ScoreRequest,
  loss: LossName,
  model: ModelDescription,
): { weighting: WeightingRequest | null; advice: string[] } {
  if (weighting !== undefined) return { weighting, advice: [] };
  const unlabelled = samples.filter(
    (sample) => lackOf(sample, DEFAULT_WEIGHTING.signal, model.classes) !== null,
  ).length;
  if (unlabelled === 0) return { weighting: DEFAULT_WEIGHTING, advice: [] };
  const free = (["entropy", "sensitivity"] as const).find((name) => signalsOf(model, loss).includes(name));
  const instead = free === undefined ? "" : `; name a weighting by a label-free signal such as ${free}`;
  return {
    weighting: null,
    advice: [
      `No weights: ${unlabelled} of ${samples.length} samples have no label, which the default weighting needs${instead}.`,
    ],
  };
}

/** The request's exact fraction, or null if it names none. Throws `unsuitable_signal` if the signals do not allow a fraction. */
export function suitExactFraction(
  request: ScoreRequest,
  computed: readonly SignalName[],
): ExactFraction | null {
  if (request.exact_fraction === undefined) return null;
  const path = "/exact_fraction";
  if (!computed.includes("grad_norm")) {
    throwFaults("unsuitable_signal", [
      { path, message: "is for grad_norm: ask for grad_norm or weigh by it, or leave this out" },
    ]);
  }
  const others = computed.filter(
    (name) => name !== "grad_norm" && readingsOf([name], request.trajectory !== undefined).size > 0,
  );
  throwFaults(
    "unsuitable_signal",
    others.map((name) => ({
      path,
      message: `allows only grad_norm and signals that read just logits and labels, but ${name} reads more: ask for ${name} in a request without exact_fraction`,
    })),
  );
  return { fraction: request.exact_fraction, seed: request.seed ?? 0 };
}

/** A plan whose directions have been looked up. Each was made with the weights of the model that runs with it. */
export interface BoundPlan extends Omit<ScoringPlan, "run" | "trajectory"> {
  readonly run: BoundRun;
  readonly trajectory: readonly ReadyCheckpoint[];
  /**
   * The directions as a dataset remembers them: `name@digest`, with 8 hex digits of the vector's digest. Those of a trajectory
   * also have their learning rate and model.
   */
  readonly directions: readonly string[];
  /** Whether one of them was scaled. */
  readonly preconditioned: boolean;
}

export type BoundRun =
  | Exclude<WantedRecord, { graph: "tangent" }>
  | {
      readonly graph: "tangent";
      readonly direction: ResolvedDirection;
      readonly asked: readonly KeptMatrix[];
    }
  | { readonly graph: "fraction"; readonly exact: ExactFraction; readonly asked: readonly KeptMatrix[] };

/** Looks up the plan's directions. Throws `direction_not_found`, and `direction_stale` if one was made with other weights. */
export async function bindDirections(plan: ScoringPlan, store: DirectionStore): Promise<BoundPlan> {
  const { ranker } = plan;
  const run = await bindRun(plan.run, (name) => resolveDirection(store, name, ranker.model));
  const trajectory = await Promise.all(
    plan.trajectory.map(async (checkpoint): Promise<ReadyCheckpoint> => {
      const direction = await resolveDirection(store, checkpoint.direction, checkpoint.ranker.model);
      return { ...checkpoint, direction };
    }),
  );
  const measured = run.graph === "tangent" ? [run.direction] : [];
  const summed = trajectory.map(
    ({ ranker: { model }, direction, learningRate }) =>
      `${learningRate} × ${nameOf(direction)} of ${modelId(model)}`,
  );
  const all = [...measured, ...trajectory.map(({ direction }) => direction)];
  return {
    ...plan,
    run,
    trajectory,
    directions: [...measured.map(nameOf), ...summed],
    preconditioned: all.some(({ preconditioned }) => preconditioned),
  };
}

async function bindRun(
  run: PlannedRun,
  resolve: (name: string) => Promise<ResolvedDirection>,
): Promise<BoundRun> {
  return run.graph === "tangent" ? { ...run, direction: await resolve(run.direction) } : run;
}

function nameOf({ name, digest }: ResolvedDirection): string {
  return `${name}@${digest.slice(0, 8)}`;
}

import { throwFaults } from "../../errors.js";
import { labelNeed, suitableSignals } from "../../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import type { LossName, SignalName } from "../../importance/types.js";
import type { WeighOptions } from "../../importance/weigh-options.js";
import {
  type AnsweringGraph,
  type AskedMatrix,
  type ModelDescription,
  modelId,
  type Precision,
  type Ranker,
  type Wanted,
} from "../../ranker/port.js";
import type { DirectionStore } from "../../store/port.js";
import { type ResolvedDirection, resolveDirection } from "../directions/known.js";
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
  type WeightingRequest,
  weighedSignals,
  weighOptions,
} from "../requests/weighting.js";
import type { NamedCheckpoint, OpenModels } from "./open-models.js";
import { checkTrajectory, type ReferenceSource, suitDirection, suitReference } from "./plan-compared.js";
import { type LearnedPlan, planLearned } from "./plan-learned.js";
import type { ReadyCheckpoint } from "./trajectory.js";

/** What a request comes to, once every fault that can be found without a run is excluded. */
export interface ScoringPlan {
  /** The request's own model. */
  readonly ranker: Ranker;
  readonly loss: LossName;
  readonly samples: readonly Sample[];
  readonly labelled: LabelledTexts;
  /** What is run of the request's own model. */
  readonly run: PlannedRun;
  /** Signals to compute: those asked for and the weighting's. */
  readonly computed: readonly SignalName[];
  readonly weighting: PlannedWeighting | null;
  /** Where `rho` takes its reference losses from; null where it is not computed. */
  readonly reference: ReferenceSource | null;
  /** Checkpoints that `influence` is summed over; empty where it is measured along `direction`. */
  readonly trajectory: readonly NamedCheckpoint[];
  /** What `learned` reads; null where it is not computed. */
  readonly learned: LearnedPlan | null;
  /** The dataset that is to remember the samples, and the id of each; null for none. */
  readonly remembered: { readonly dataset: string; readonly ids: readonly string[] } | null;
  readonly advice: readonly string[];
}

/** A graph on every sample, with what is asked of it beside; or gradients of a fraction of the batch. */
export type PlannedRun =
  | Exclude<Wanted, { graph: "tangent" }>
  | { readonly graph: "tangent"; readonly direction: string; readonly asked: readonly AskedMatrix[] }
  | { readonly graph: "fraction"; readonly exact: ExactFraction };

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
}

/**
 * Finds every fault of the request. Throws `unsuitable_*`, `missing_*`, `duplicate_id`, `invalid_sample`.
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
  const precision = learned === null ? suitPrecision(request.precision, graph, model) : "fp32";
  return {
    ranker,
    loss,
    samples,
    labelled: labelledTexts(samples, loss),
    run:
      exact === null ? runOf(graph, { direction, precision, asked: matrices }) : { graph: "fraction", exact },
    computed,
    weighting: weighting && options && { request: weighting, options },
    reference,
    trajectory,
    learned,
    remembered: dataset === undefined ? null : { dataset, ids },
    advice: [...advice, ...(learned?.advice ?? [])],
  };
}

interface RunNeeds {
  /** Not null where signals are measured along one, and only there. */
  readonly direction: string | null;
  readonly precision: Precision;
  readonly asked: readonly AskedMatrix[];
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
      `No weights: ${unlabelled} of ${samples.length} samples have no label, and the default weighting reads one${instead}.`,
    ],
  };
}

/** The request's exact fraction, null where it names none; throws `unsuitable_signal` where it has no meaning for the signals. */
export function suitExactFraction(
  request: ScoreRequest,
  computed: readonly SignalName[],
): ExactFraction | null {
  if (request.exact_fraction === undefined) return null;
  const path = "/exact_fraction";
  if (!computed.includes("grad_norm")) {
    throwFaults("unsuitable_signal", [{ path, message: "is of grad_norm: ask for it, or weigh by it" }]);
  }
  const others = computed.filter(
    (name) => name !== "grad_norm" && readingsOf([name], request.trajectory !== undefined).size > 0,
  );
  throwFaults(
    "unsuitable_signal",
    others.map((name) => ({
      path,
      message: `goes with signals that read nothing but logits and labels, and ${name} reads more: ask for it without`,
    })),
  );
  return { fraction: request.exact_fraction, seed: request.seed ?? 0 };
}

/** A plan whose directions are known, each bound to the weights of the model that is run along it. */
export interface BoundPlan extends Omit<ScoringPlan, "run" | "trajectory"> {
  readonly run: BoundRun;
  readonly trajectory: readonly ReadyCheckpoint[];
  /**
   * The directions as a dataset remembers them: `name@digest` with 8 hex digits of the vector's digest, those of a trajectory with
   * their learning rates.
   */
  readonly directions: readonly string[];
}

export type BoundRun =
  | Exclude<Wanted, { graph: "tangent" }>
  | {
      readonly graph: "tangent";
      readonly direction: ResolvedDirection;
      readonly asked: readonly AskedMatrix[];
    }
  | { readonly graph: "fraction"; readonly exact: ExactFraction };

/** Looks the plan's directions up. Throws `direction_not_found`, and `direction_stale` for a direction of other weights. */
export async function bindDirections(plan: ScoringPlan, store: DirectionStore): Promise<BoundPlan> {
  const { ranker } = plan;
  const run = await bindRun(plan.run, (name) => resolveDirection(store, name, ranker.model));
  const trajectory = await Promise.all(
    plan.trajectory.map(async (checkpoint): Promise<ReadyCheckpoint> => {
      const direction = await resolveDirection(store, checkpoint.direction, checkpoint.ranker.model);
      return { ...checkpoint, direction };
    }),
  );
  const own = run.graph === "tangent" ? [nameOf(run.direction)] : [];
  const summed = trajectory.map(
    ({ ranker: { model }, direction, learningRate }) =>
      `${learningRate} × ${nameOf(direction)} of ${modelId(model)}`,
  );
  return { ...plan, run, trajectory, directions: [...own, ...summed] };
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

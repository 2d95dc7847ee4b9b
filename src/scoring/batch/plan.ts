import type { Reading } from "../../importance/suitability.js";
import { labelNeed, SIGNAL_RULES, suitableSignals } from "../../importance/suitability.js";
import type { LossName, SignalName } from "../../importance/types.js";
import type { WeighOptions } from "../../importance/weigh-options.js";
import type { ModelDescription, Precision, Wanted } from "../../ranker/port.js";
import {
  type AskedSignal,
  checkGroups,
  checkIds,
  checkLabels,
  checkSignals,
  lackOf,
  suitLoss,
  suitPrecision,
} from "../requests/checks.js";
import { graphOf, readingsOf, signalsOf } from "../requests/needs.js";
import type { Sample } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";
import {
  DEFAULT_WEIGHTING,
  type WeightingRequest,
  weighedSignals,
  weighOptions,
} from "../requests/weighting.js";
import { checkDirection, checkReference, checkTrajectory } from "./compared-models.js";
import { type ExactShare, suitExactShare } from "./exact-share.js";
import { type LearnedPlan, planLearned } from "./learned.js";
import type { OpenModels } from "./open-models.js";

/** What a request comes to, before anything runs. */
export interface ScoringPlan {
  readonly loss: LossName;
  readonly precision: Precision;
  /** Of the request's own model. */
  readonly graph: Wanted["graph"];
  /** What the signals read of the request's own model beside its logits. */
  readonly readings: ReadonlySet<Reading>;
  /** Signals to compute: those asked for and the weighting's. */
  readonly computed: readonly SignalName[];
  readonly weighting: PlannedWeighting | null;
  /** The share whose gradients are exact; null where no gradient is estimated. */
  readonly exactShare: ExactShare | null;
  /** What `learned` reads; null where it is not computed. */
  readonly learned: LearnedPlan | null;
  readonly advice: readonly string[];
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
  const { model } = models.ranker;
  const hasTrajectory = request.trajectory !== undefined;
  const loss = suitLoss(request.loss, model);
  checkIds(samples, dataset);
  checkLabels(samples, loss, model.classes);
  checkGroups(samples, loss);

  const { weighting, advice } = planWeighting(request, loss, model);
  const asked: AskedSignal[] = [
    ...(request.signals ?? []).map((signal, index) => ({ signal, path: `/signals/${index}` })),
    ...(weighting === null ? [] : weighedSignals(weighting)),
  ];
  const learned = planLearned(request, asked, loss, model);
  checkSignals([...asked, ...(learned?.asked ?? [])], samples, loss, model, hasTrajectory);
  const wanted = request.signals ?? defaultSignals(samples, loss, model.classes);
  const computed = [...new Set([...wanted, ...asked.map(({ signal }) => signal)])];
  const options = weighting && weighOptions(weighting);

  const readings = readingsOf([...computed, ...(learned?.signals ?? [])], hasTrajectory);
  checkDirection(request, asked);
  checkReference(request, computed, models);
  checkTrajectory(request, computed, models);
  const graph = graphOf(readings);
  return {
    loss,
    precision: learned === null ? suitPrecision(request.precision, graph, model) : "fp32",
    graph,
    readings,
    computed,
    weighting: weighting && options && { request: weighting, options },
    exactShare: suitExactShare(request, computed),
    learned,
    advice: [...advice, ...(learned?.advice ?? [])],
  };
}

/** The signals of a request that names none. */
export function defaultSignals(samples: readonly Sample[], loss: LossName, classes: number): SignalName[] {
  const labelled: SignalName[] = ["loss", "grad_norm_last"];
  const labelFree = suitableSignals(loss).filter(
    (name) => SIGNAL_RULES[name].reads.length === 0 && labelNeed(name, classes) === "none",
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

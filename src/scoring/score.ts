import { setImmediate as nextTurn } from "node:timers/promises";
import { AssayError } from "../errors.js";
import { computeSignals } from "../importance/signals.js";
import { labelNeed, SIGNAL_RULES, suitableSignals } from "../importance/suitability.js";
import type { LossName, SignalName } from "../importance/types.js";
import type { WeighOptions } from "../importance/weigh-options.js";
import { type Weighting, weigh } from "../importance/weights.js";
import type { Caller, ModelDescription, Precision, Ranker, Rankers } from "../ranker/port.js";
import type { Store } from "../store/port.js";
import type { SignalColumns } from "./columns.js";
import { keepSamples } from "./keep.js";
import { knownOutputs } from "./outputs.js";
import { type SampleRow, sampleRows } from "./row.js";
import { type Sample, textOf } from "./sample.js";
import { type Stopwatch, startStopwatch } from "./stopwatch.js";
import { checkIds, checkLabels, checkSignals, lackOf, suitLoss, suitPrecision } from "./suit.js";
import { DEFAULT_WEIGHTING, type WeightingRequest, weighOptions } from "./weighting.js";

export interface ScoreRequest {
  /** The default model where absent. */
  readonly model?: string | undefined;
  /** Remembers the samples under their ids; without it only the outputs are kept. */
  readonly dataset?: string | undefined;
  /** Where absent: `loss` and `grad_norm_last` for labelled samples, what needs no label for the others. */
  readonly signals?: readonly SignalName[] | undefined;
  /** The loss of the model's task where absent. */
  readonly loss?: LossName | undefined;
  /** `DEFAULT_WEIGHTING` where absent and every sample has a label; null for none. */
  readonly weighting?: WeightingRequest | null | undefined;
  readonly precision?: Precision | undefined;
  readonly samples: readonly Sample[];
}

export interface ScoreAnswer {
  readonly model: ModelDescription;
  readonly loss: LossName;
  /** In the order of the samples. */
  readonly results: SampleRow[];
  readonly weighting: Weighting | null;
  /**
   * Resolves when new outputs are in the store, to null, or to why they are not. A batch without a dataset is answered
   * before, for nothing that its answer says depends on it.
   */
  readonly kept: Promise<AssayError | null>;
  readonly cacheHits: number;
  readonly advice: readonly string[];
}

/**
 * Scores one batch: outputs from the store or the model, signals from outputs and labels, weights from a signal; then
 * remembers the samples if a dataset is named. Every fault of the request is found before anything runs or is written.
 *
 * Throws `model_not_found`, `unsuitable_*`, `missing_label`, `duplicate_id`, `invalid_sample` for faults of the request, what
 * `Ranker.run` throws, and `store_unavailable` where a dataset is named and the store does not answer.
 *
 * @param stopwatch tells the stages apart; the answer's own making is left to the next lap
 */
export async function scoreSamples(
  { rankers, store }: { rankers: Rankers; store: Store },
  request: ScoreRequest,
  caller: Caller,
  stopwatch: Stopwatch = startStopwatch(),
): Promise<ScoreAnswer> {
  return rankers.use(request.model ?? rankers.defaultName, (ranker) =>
    scoreWith({ ranker, store }, request, caller, stopwatch),
  );
}

async function scoreWith(
  { ranker, store }: { ranker: Ranker; store: Store },
  request: ScoreRequest,
  caller: Caller,
  stopwatch: Stopwatch,
): Promise<ScoreAnswer> {
  const { samples, dataset } = request;
  const plan = planScoring(request, ranker.model);
  stopwatch.lap("validate");

  const outputs = await knownOutputs(
    { ranker, store },
    samples.map(textOf),
    { graph: "forward", precision: plan.precision },
    stopwatch,
    caller,
  );
  if (outputs.storeFailure !== null && dataset !== undefined) throw outputs.storeFailure;

  await giveWay(samples.length);
  const labels = samples.map(({ label = null }) => label);
  const columns = computeSignals(outputs, labels, plan.loss, plan.computed);
  stopwatch.lap("signals");
  const weighting = weighColumn(columns, plan.weighting);
  stopwatch.lap("weigh");
  await giveWay(samples.length);
  throwIfOver(caller);
  if (dataset !== undefined) {
    // Outputs before the samples that name them.
    const failure = await outputs.kept;
    if (failure !== null) throw failure;
    await keepSamples(store, dataset, ranker.model, plan.loss, samples, outputs.keys, columns);
    stopwatch.lap("keep");
  }

  return {
    model: ranker.model,
    loss: plan.loss,
    results: sampleRows(samples, outputs, plan.loss, columns, weighting),
    weighting,
    kept: outputs.kept,
    cacheHits: outputs.cached.filter(Boolean).length,
    advice: [
      ...plan.advice,
      ...(weighting?.diagnostics.advice ?? []),
      ...adviceOnStore(outputs.storeFailure),
      ...adviceOnTruncation(outputs.truncated, ranker),
    ],
  };
}

/** Before anything is kept: a timer may not have had its turn yet. */
function throwIfOver({ signal, deadlineAtMs }: Caller): void {
  if (signal.aborted) throw signal.reason;
  if (deadlineAtMs !== null && performance.now() > deadlineAtMs) throw new AssayError("deadline_exceeded");
}

/** A larger batch lets other requests have their turn between its stages, each of which takes some milliseconds. */
const SAMPLES_AT_ONCE = 512;

async function giveWay(samples: number): Promise<void> {
  if (samples > SAMPLES_AT_ONCE) await nextTurn();
}

interface ScoringPlan {
  readonly loss: LossName;
  readonly precision: Precision;
  /** Signals to compute: those asked for and the weighting's. */
  readonly computed: readonly SignalName[];
  readonly weighting: PlannedWeighting | null;
  readonly advice: readonly string[];
}

interface PlannedWeighting {
  readonly signal: SignalName;
  readonly options: WeighOptions;
}

function planScoring(request: ScoreRequest, model: ModelDescription): ScoringPlan {
  const { samples, dataset } = request;
  const loss = suitLoss(request.loss, model);
  const precision = suitPrecision(request.precision, model);
  checkIds(samples, dataset);
  checkLabels(samples, loss, model.classes);

  const asked = request.signals ?? [];
  checkSignals(asked, (name) => `/signals/${asked.indexOf(name)}`, samples, loss, model.classes);
  const { weighting, advice } = planWeighting(request, model);
  if (weighting !== null) {
    checkSignals([weighting.signal], () => "/weighting/signal", samples, loss, model.classes);
  }
  const wanted = request.signals ?? defaultSignals(samples, loss, model.classes);
  const computed = [...new Set(weighting === null ? wanted : [...wanted, weighting.signal])];
  const planned = weighting && { signal: weighting.signal, options: weighOptions(weighting) };
  return { loss, precision, computed, weighting: planned, advice };
}

function defaultSignals(samples: readonly Sample[], loss: LossName, classes: number): SignalName[] {
  const labelled: SignalName[] = ["loss", "grad_norm_last"];
  const labelFree = suitableSignals(loss).filter(
    (name) => SIGNAL_RULES[name].reads.length === 0 && labelNeed(name, classes) === "none",
  );
  const isLabelled = (sample: Sample): boolean => lackOf(sample, "loss", classes) === null;
  return [...(samples.some(isLabelled) ? labelled : []), ...(samples.every(isLabelled) ? [] : labelFree)];
}

function planWeighting(
  { weighting, samples }: ScoreRequest,
  { classes }: ModelDescription,
): { weighting: WeightingRequest | null; advice: string[] } {
  if (weighting !== undefined) return { weighting, advice: [] };
  const unlabelled = samples.filter(
    (sample) => lackOf(sample, DEFAULT_WEIGHTING.signal, classes) !== null,
  ).length;
  if (unlabelled === 0) return { weighting: DEFAULT_WEIGHTING, advice: [] };
  return {
    weighting: null,
    advice: [
      `No weights: ${unlabelled} of ${samples.length} samples have no label, and the default weighting reads one; name a weighting by a label-free signal such as entropy.`,
    ],
  };
}

function weighColumn(columns: SignalColumns, planned: PlannedWeighting | null): Weighting | null {
  if (planned === null) return null;
  // checkSignals made sure that no sample lacks the label that this signal needs.
  return weigh(Float64Array.from(columns.get(planned.signal) as readonly number[]), planned.options);
}

function adviceOnStore(failure: AssayError | null): string[] {
  return failure === null
    ? []
    : [`The store does not answer (${failure.message}): these outputs were not cached.`];
}

function adviceOnTruncation(truncated: readonly boolean[], { model }: Ranker): string[] {
  const count = truncated.filter(Boolean).length;
  if (count === 0) return [];
  return [
    `${count} of ${truncated.length} samples are longer than ${model.tokensMax} tokens and were cut, longest text first.`,
  ];
}

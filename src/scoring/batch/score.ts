import type { AssayError } from "../../errors.js";
import { type EstimatedWeighting, weighEstimated } from "../../importance/estimated-weights.js";
import { isGroupLoss, type Label, type LossName } from "../../importance/types.js";
import { type Weighting, weigh } from "../../importance/weights.js";
import { type Stopwatch, startStopwatch } from "../../observe/stopwatch.js";
import type { Caller, ModelDescription, Rankers } from "../../ranker/port.js";
import type { Store } from "../../store/port.js";
import type { SignalColumns } from "../datasets/columns.js";
import { keepSamples } from "../datasets/keep.js";
import { type LabelledTexts, labelledTexts } from "../requests/labelled.js";
import type { ScoreRequest } from "../requests/score-request.js";
import { storeUntil, throwIfOver } from "../requests/store-until.js";
import { weighedScores, weighedSignals } from "../requests/weighting.js";
import { batchSignals } from "./batch-signals.js";
import { adviceOnEstimates, type EstimatedNorms } from "./estimated-norms.js";
import { directionNames, readyDirections } from "./model-runs.js";
import { type OpenModels, useModels } from "./open-models.js";
import { type PlannedWeighting, planScoring } from "./plan.js";
import { type SampleRow, sampleRows } from "./row.js";
import { giveWay } from "./turns.js";

export interface ScoreAnswer {
  readonly model: ModelDescription;
  readonly loss: LossName;
  /** In the order of the samples. */
  readonly results: SampleRow[];
  readonly weighting: Weighting | EstimatedWeighting | null;
  /** Where the request has an exact share. */
  readonly estimated: EstimatedNorms | null;
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
 * Throws `model_not_found`, `direction_not_found`, `direction_stale`, `unsuitable_*`, `missing_*`, `duplicate_id`,
 * `invalid_sample` for faults of the request, what `Ranker.run` throws, and `store_unavailable` or `store_full` where a dataset is named and the store does not do its part.
 *
 * @param stopwatch tells the stages apart; the answer's own making is left to the next lap
 */
export async function scoreSamples(
  { rankers, store }: { rankers: Rankers; store: Store },
  request: ScoreRequest,
  caller: Caller,
  stopwatch: Stopwatch = startStopwatch(),
): Promise<ScoreAnswer> {
  const ports = { store: storeUntil(store, caller) };
  return useModels(rankers, request, (models) => scoreWith({ models, ...ports }, request, caller, stopwatch));
}

async function scoreWith(
  ports: { models: OpenModels; store: Store },
  request: ScoreRequest,
  caller: Caller,
  stopwatch: Stopwatch,
): Promise<ScoreAnswer> {
  const { models, store } = ports;
  const { samples, dataset } = request;
  const { model } = models.ranker;
  const plan = planScoring(request, models);
  const directions = await readyDirections(store, request, models);
  stopwatch.lap("validate");

  const labelled = labelledTexts(samples, plan.loss);
  const batch = await batchSignals(ports, plan, directions, samples, labelled, stopwatch, caller);
  const { outputs, columns, estimated, storeFailure, kept } = batch;
  if (storeFailure !== null && dataset !== undefined) throw storeFailure;

  await giveWay(samples.length);
  const weighting = weighColumns(columns, estimated, plan.weighting);
  stopwatch.lap("weigh");
  await giveWay(samples.length);
  throwIfOver(caller);
  if (dataset !== undefined) {
    // Outputs before the samples that name them.
    const failure = await kept;
    if (failure !== null) throw failure;
    await keepSamples(
      store,
      dataset,
      model,
      plan.loss,
      directionNames(request, directions),
      samples,
      outputs.keys,
      rememberedOf(columns, estimated),
    );
    stopwatch.lap("keep");
  }

  return {
    model,
    loss: plan.loss,
    results: sampleRows(samples, outputs, plan.loss, columns, estimated, weighting),
    weighting,
    estimated,
    kept,
    cacheHits: outputs.cached.filter(Boolean).length,
    advice: [
      ...plan.advice,
      ...adviceOnGroups(labelled),
      ...(estimated === null ? [] : adviceOnEstimates(estimated, dataset)),
      ...(weighting?.diagnostics.advice ?? []),
      ...adviceOnStore(storeFailure),
      ...adviceOnTruncation(outputs.truncated, model),
    ],
  };
}

function weighColumns(
  columns: SignalColumns,
  estimated: EstimatedNorms | null,
  planned: PlannedWeighting | null,
): Weighting | EstimatedWeighting | null {
  if (planned === null) return null;
  const { request, options } = planned;
  // checkSignals made sure that no sample lacks the label that these signals need.
  const scoresWith = (norms: Float64Array | null): Float64Array =>
    weighedScores(request, (signal) =>
      signal === "grad_norm" && norms !== null ? norms : (columns.get(signal) as readonly number[]),
    );
  const completer = estimated?.completer ?? null;
  const readsNorms = weighedSignals(request).some(({ signal }) => signal === "grad_norm");
  if (estimated === null || completer === null || !readsNorms) return weigh(scoresWith(null), options);
  return weighEstimated(estimated.norms, completer, scoresWith, options);
}

/** What a dataset is to remember: an estimate would look like a value, so it is left out. */
function rememberedOf(columns: SignalColumns, estimated: EstimatedNorms | null): SignalColumns {
  if (estimated === null) return columns;
  const exactOnly = Array.from(estimated.norms, (norm, index) => (estimated.exact[index] ? norm : null));
  return new Map(columns).set("grad_norm", exactOnly);
}

function adviceOnStore(failure: AssayError | null): string[] {
  return failure === null
    ? []
    : [`The store does not answer (${failure.message}): these outputs were not cached.`];
}

/** A group whose labels are all equal teaches a ranking loss nothing. */
function adviceOnGroups({ labels, groups, loss }: LabelledTexts): string[] {
  if (!isGroupLoss(loss)) return [];
  const labelsOf = new Map<string | null, Set<Label>>();
  for (const [index, group] of groups.entries()) {
    const label = labels[index] ?? null;
    const known = labelsOf.get(group) ?? new Set();
    if (label !== null) known.add(label);
    labelsOf.set(group, known);
  }
  const flat = [...labelsOf.values()].filter((known) => known.size < 2).length;
  if (flat === 0) return [];
  const [have, their] = flat === 1 ? ["has", "its"] : ["have", "their"];
  return [
    `${flat} of ${labelsOf.size} groups ${have} no two different labels: ${their} loss and gradients are 0.`,
  ];
}

function adviceOnTruncation(truncated: readonly boolean[], { tokensMax }: ModelDescription): string[] {
  const count = truncated.filter(Boolean).length;
  if (count === 0) return [];
  return [
    `${count} of ${truncated.length} samples are longer than ${tokensMax} tokens and were cut, longest text first.`,
  ];
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { AssayError } from "../errors.js";
import { computeSignals } from "../importance/signals.js";
import { isGroupLoss, type Label, type LossName } from "../importance/types.js";
import { type Weighting, weigh } from "../importance/weights.js";
import type { Caller, ModelDescription, Rankers } from "../ranker/port.js";
import type { Store } from "../store/port.js";
import type { SignalColumns } from "./columns.js";
import { keepSamples } from "./keep.js";
import { type LabelledTexts, labelledTexts } from "./labelled.js";
import { readyDirections, runModels } from "./model-runs.js";
import { type OpenModels, useModels } from "./open-models.js";
import { type PlannedWeighting, planScoring } from "./plan.js";
import { type SampleRow, sampleRows } from "./row.js";
import type { ScoreRequest } from "./score-request.js";
import { type Stopwatch, startStopwatch } from "./stopwatch.js";
import { weighedScores } from "./weighting.js";

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
 * Throws `model_not_found`, `direction_not_found`, `direction_stale`, `unsuitable_*`, `missing_*`, `duplicate_id`,
 * `invalid_sample` for faults of the request, what `Ranker.run` throws, and `store_unavailable` where a dataset is named and the store does not answer.
 *
 * @param stopwatch tells the stages apart; the answer's own making is left to the next lap
 */
export async function scoreSamples(
  { rankers, store }: { rankers: Rankers; store: Store },
  request: ScoreRequest,
  caller: Caller,
  stopwatch: Stopwatch = startStopwatch(),
): Promise<ScoreAnswer> {
  return useModels(rankers, request, (models) => scoreWith({ models, store }, request, caller, stopwatch));
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
  const runs = await runModels(ports, plan, directions, samples, labelled, stopwatch, caller);
  const { outputs, storeFailure, kept } = runs;
  if (storeFailure !== null && dataset !== undefined) throw storeFailure;

  await giveWay(samples.length);
  const columns = computeSignals(outputs, labelled.labels, plan.loss, plan.computed, runs.context);
  stopwatch.lap("signals");
  const weighting = weighColumns(columns, plan.weighting);
  stopwatch.lap("weigh");
  await giveWay(samples.length);
  throwIfOver(caller);
  if (dataset !== undefined) {
    // Outputs before the samples that name them.
    const failure = await kept;
    if (failure !== null) throw failure;
    await keepSamples(store, dataset, model, plan.loss, samples, outputs.keys, columns);
    stopwatch.lap("keep");
  }

  return {
    model,
    loss: plan.loss,
    results: sampleRows(samples, outputs, plan.loss, columns, weighting),
    weighting,
    kept,
    cacheHits: outputs.cached.filter(Boolean).length,
    advice: [
      ...plan.advice,
      ...adviceOnGroups(labelled),
      ...(weighting?.diagnostics.advice ?? []),
      ...adviceOnStore(storeFailure),
      ...adviceOnTruncation(outputs.truncated, model),
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

function weighColumns(columns: SignalColumns, planned: PlannedWeighting | null): Weighting | null {
  if (planned === null) return null;
  // checkSignals made sure that no sample lacks the label that these signals need.
  const scores = weighedScores(planned.request, (signal) => columns.get(signal) as readonly number[]);
  return weigh(scores, planned.options);
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
  return [`${flat} of ${labelsOf.size} groups have no two different labels: their loss and gradients are 0.`];
}

function adviceOnTruncation(truncated: readonly boolean[], { tokensMax }: ModelDescription): string[] {
  const count = truncated.filter(Boolean).length;
  if (count === 0) return [];
  return [
    `${count} of ${truncated.length} samples are longer than ${tokensMax} tokens and were cut, longest text first.`,
  ];
}

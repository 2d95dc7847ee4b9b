import type { AssayError } from "../../errors.js";
import { completeColumn } from "../../importance/columns.js";
import { type EstimatedWeighting, weighEstimated } from "../../importance/estimated-weights.js";
import {
  isGroupLoss,
  type Label,
  type LossName,
  type SignalColumns,
  type SignalName,
} from "../../importance/types.js";
import { type Weighting, weigh } from "../../importance/weights.js";
import { giveTurn } from "../../observe/turns.js";
import type { ModelDescription, Rankers } from "../../ranker/port.js";
import type { WrittenEmbeddings } from "../../store/dataset-port.js";
import type { Store } from "../../store/port.js";
import { keepSamples } from "../datasets/keep.js";
import type { Ports, Watch } from "../ports.js";
import type { LabelledTexts } from "../requests/sample.js";
import type { ScoreRequest } from "../requests/score-request.js";
import { storeUntil, throwIfOver } from "../requests/store-until.js";
import { weighedScores, weighedSignals } from "../requests/weighting.js";
import { adviceOnRoom, askEmbeddings } from "./asked-embeddings.js";
import { adviceOnEstimates, type EstimatedNorms } from "./estimated-norms.js";
import { useModels } from "./open-models.js";
import { bindDirections, type PlannedWeighting, planScoring, type ScoringPlan } from "./plan.js";
import { type SampleRow, type ScoredColumns, sampleRows } from "./row.js";
import { type BatchSignals, batchSignals, SAMPLES_IN_ONE_TURN } from "./signals.js";

export interface ScoreAnswer {
  readonly model: ModelDescription;
  /** The gradient scope of the signals; null if none reads gradients. */
  readonly gradientScope: string | null;
  /** Whether a direction that signals were measured along was scaled, for example by an optimiser's step sizes. */
  readonly preconditioned: boolean;
  readonly loss: LossName;
  /** In the order of the samples. */
  readonly columns: ScoredColumns;
  /** Makes the answer of each sample, in the order of the samples. A format of columns reads `columns` instead. */
  rows(): SampleRow[];
  readonly weighting: Weighting | EstimatedWeighting | null;
  /** Null if the request has no exact fraction. */
  readonly estimated: EstimatedNorms | null;
  /**
   * Resolves to null when new outputs are in the store, or to the reason why they are not. A batch without a dataset is answered
   * before this settles; the answer does not depend on it.
   */
  readonly kept: Promise<AssayError | null>;
  readonly cacheHits: number;
  /** Embeddings that the dataset did not keep, because it has no room for them. */
  readonly embeddingsWithoutRoom: number;
  readonly advice: readonly string[];
}

/**
 * Scores one batch: outputs from the store or the model, signals from outputs and labels, weights from a signal. Then it
 * remembers the samples if a dataset is named. Every fault of the request is found before anything runs or is written.
 *
 * Throws `model_not_found`, `direction_not_found`, `direction_stale`, `unsuitable_*`, `missing_*`, `duplicate_id` or
 * `invalid_sample` for faults of the request, and what `Ranker.run` throws. Throws `store_unavailable` or `store_full` if a
 * dataset is named and the store fails.
 */
export async function scoreSamples(
  { rankers, store }: Ports,
  request: ScoreRequest,
  watch: Watch,
): Promise<ScoreAnswer> {
  const reached = storeUntil(store, watch.caller);
  return useModels(rankers, request, (models) => scorePlanned(planScoring(request, models), reached, watch));
}

/**
 * Finds the faults of a request as `scoreSamples` does, and runs nothing. It throws the same errors, except those that need the
 * store. Returns the signals that would be computed.
 */
export async function checkRequest(rankers: Rankers, request: ScoreRequest): Promise<readonly SignalName[]> {
  return useModels(rankers, request, async (models) => planScoring(request, models).computed);
}

async function scorePlanned(planned: ScoringPlan, store: Store, watch: Watch): Promise<ScoreAnswer> {
  const { stopwatch, caller } = watch;
  const bound = await bindDirections(planned, store);
  const { plan, embeddings, advice: embeddingAdvice } = await askEmbeddings(bound, store);
  stopwatch.lap("validate");

  const { samples, loss, labelled, remembered } = plan;
  const { model } = plan.ranker;
  const batch = await batchSignals(plan, store, watch);
  const { outputs, columns, estimated, storeFailure, kept } = batch;
  if (storeFailure !== null && remembered !== null) throw storeFailure;

  if (samples.length > SAMPLES_IN_ONE_TURN) await giveTurn();
  const weighting = weighColumns(columns, estimated, plan.weighting);
  stopwatch.lap("weigh");
  if (samples.length > SAMPLES_IN_ONE_TURN) await giveTurn();
  throwIfOver(caller);
  let written: WrittenEmbeddings = { kept: 0, withoutRoom: 0 };
  if (remembered !== null) {
    // Samples refer to outputs by key, so the outputs must be in the store first.
    const failure = await kept;
    if (failure !== null) throw failure;
    const { keys, logits } = outputs;
    const { directions, precision } = plan;
    const columns = rememberedOf(batch);
    const { embedding: values } = outputs;
    const fresh = embeddings && values ? { origin: embeddings.origin, values } : null;
    const scored = { samples, keys, columns, logits, embeddings: fresh, model, precision, loss, directions };
    written = await keepSamples(store, { ...remembered, ...scored });
    stopwatch.lap("keep");
  }

  return {
    model,
    gradientScope: plan.gradientScope,
    preconditioned: plan.preconditioned,
    loss,
    columns: { ids: samples.map(({ id = null }) => id), loss, outputs, signals: columns },
    rows: () => sampleRows(plan, batch, weighting),
    weighting,
    estimated,
    kept,
    cacheHits: outputs.cached.filter(Boolean).length,
    embeddingsWithoutRoom: written.withoutRoom,
    advice: [
      ...plan.advice,
      ...embeddingAdvice,
      ...(embeddings === null ? [] : adviceOnRoom(embeddings, written)),
      ...adviceOnGroups(labelled),
      ...(estimated === null ? [] : adviceOnEstimates(estimated, remembered?.dataset)),
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
  const { request, options, factors } = planned;
  const scoresWith = (norms: Float64Array | null): Float64Array =>
    weighedScores(request, (signal) =>
      signal === "grad_norm" && norms !== null ? norms : completeColumn(columns, signal),
    );
  const completer = estimated?.completer ?? null;
  const readsNorms = weighedSignals(request).some(({ signal }) => signal === "grad_norm");
  if (estimated === null || completer === null || !readsNorms)
    return weigh(scoresWith(null), options, factors);
  return weighEstimated(estimated.norms, completer, { scoresOf: scoresWith, options, factors });
}

/** The signals that a dataset is to remember. Estimates are left out, because they would look like exact values. */
function rememberedOf({ columns, estimated }: BatchSignals): SignalColumns {
  if (estimated === null) return columns;
  const exactOnly = Array.from(estimated.norms, (norm, index) => (estimated.exact[index] ? norm : null));
  return new Map(columns).set("grad_norm", exactOnly);
}

function adviceOnStore(failure: AssayError | null): string[] {
  return failure === null
    ? []
    : [`The store does not answer (${failure.message}), so these outputs were not cached.`];
}

/** Advice on groups whose labels are all equal: a ranking loss learns nothing from them. */
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

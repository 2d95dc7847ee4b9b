import type { z } from "zod";
import type { Diagnostics } from "../importance/diagnostics.js";
import type { EstimatedWeighting } from "../importance/estimated-weights.js";
import type { SignalName } from "../importance/types.js";
import type { Weighting } from "../importance/weights.js";
import type { EstimatedNorms } from "../scoring/batch/estimated-norms.js";
import { EXTRAS_PREFIX } from "../scoring/datasets/keep.js";
import type { LookUp, RememberedHistory, RememberedSample } from "../scoring/datasets/remembered.js";
import type { DatasetWeighting } from "../scoring/datasets/weigh-dataset.js";
import type { KnownDirection } from "../scoring/directions/known.js";
import type { DatasetSummary, KeptEmbeddings, SampleShape, SnapshotInfo } from "../store/dataset-records.js";
import type {
  datasetSummarySchema,
  historySchema,
  snapshotSchema,
  weighAnswerSchema,
} from "./schemas/dataset.js";
import type { keptEmbeddingSchema } from "./schemas/dataset-settings.js";
import type { diagnosticsSchema } from "./schemas/diagnostics.js";
import type { directionSchema } from "./schemas/direction.js";
import type { fractionSchema } from "./schemas/score.js";

/** Diagnostics as the API answers them. Every figure is null if nothing was weighed. */
export function renderDiagnostics(
  diagnostics: Diagnostics | undefined,
  advice: readonly string[],
): z.infer<typeof diagnosticsSchema> {
  return {
    effective_sample_size: diagnostics?.effectiveSampleSize ?? null,
    max_weight: diagnostics?.maxWeight ?? null,
    pareto_k: diagnostics?.pareto.k ?? null,
    pareto_k_threshold: diagnostics?.pareto.threshold ?? null,
    tau: diagnostics?.tau ?? null,
    advice: [...advice],
  };
}

/** What the exactly scored share of a batch says about the whole batch. */
export function renderFraction(
  { report }: EstimatedNorms,
  weighting: Weighting | EstimatedWeighting | null,
): z.infer<typeof fractionSchema> {
  return {
    samples: report.samples,
    spearman: report.spearman,
    pearson: report.pearson,
    relative_error: report.relativeError,
    grad_norm_sum: report.sum.value,
    grad_norm_sum_error: report.sum.error,
    effective_sample_size_error:
      weighting !== null && "effectiveSampleSizeError" in weighting
        ? weighting.effectiveSampleSizeError
        : null,
  };
}

export function renderSnapshot({
  version,
  createdAtMs,
  samples,
  weightSum,
  provenance,
}: SnapshotInfo): z.infer<typeof snapshotSchema> {
  return {
    version,
    as_of: renderTime(createdAtMs),
    samples,
    weight_sum: weightSum,
    provenance: { ...provenance },
  };
}

/** A weighting of a dataset, and what its figures say. */
export function renderWeighing({
  snapshot,
  diagnostics,
  advice,
}: DatasetWeighting): z.infer<typeof weighAnswerSchema> {
  return { snapshot: renderSnapshot(snapshot), diagnostics: renderDiagnostics(diagnostics, advice) };
}

export function renderDataset(summary: DatasetSummary): z.infer<typeof datasetSummarySchema> {
  return {
    dataset: summary.dataset,
    samples: summary.samples,
    created_at: renderTime(summary.createdAtMs),
    updated_at: renderTime(summary.updatedAtMs),
    models: [...summary.samplesByModel.keys()],
    samples_by_model: Object.fromEntries(summary.samplesByModel),
    samples_by_source: Object.fromEntries(summary.samplesBySource),
    snapshot: summary.snapshot === null ? null : renderSnapshot(summary.snapshot),
    embedding: summary.embeddings && renderEmbeddings(summary.embeddings),
    hashed_ids: summary.hashedIds,
  };
}

function renderEmbeddings({ type, bytesMax, origins }: KeptEmbeddings): z.infer<typeof keptEmbeddingSchema> {
  const newest = origins.at(-1);
  const all = origins.reduce((sum, each) => sum + each.samples, 0);
  return {
    type,
    bytes_max: bytesMax,
    bytes: origins.reduce((sum, { bytes }) => sum + bytes, 0),
    samples: newest?.samples ?? 0,
    of: newest === undefined ? null : { model: newest.model, after: newest.after, size: newest.size },
    outdated: all - (newest?.samples ?? 0),
  };
}

/** A remembered sample's id, weight, signals and extras. */
export function renderRemembered({ id, keptId, record, weight, later, stale }: RememberedSample) {
  const { signals, extras } = splitExtras(record.signals);
  const named = keptId === null ? { id } : { id, kept_id: keptId };
  return {
    ...named,
    weight,
    ...(later && { later }),
    ...signals,
    extras,
    stale,
    observed: record.observed,
  };
}

/** The same with what the dataset remembers beside the signals. */
export function renderSample(sample: RememberedSample) {
  const { label, group, source, loss, model, earlier, textDigest, scoredAtMs } = sample.record;
  return {
    ...renderRemembered(sample),
    label: label === null || typeof label === "number" ? label : [...label],
    group,
    source,
    loss_name: loss,
    model,
    earlier: Object.fromEntries(earlier),
    text_digest: textDigest === null ? null : textDigest.toString("hex"),
    scored_at: renderTime(scoredAtMs),
  };
}

export function renderHistory(history: RememberedHistory | null): z.infer<typeof historySchema> | null {
  if (history === null) return null;
  const { checkpoints, merged } = history;
  return {
    checkpoints: checkpoints.map(({ name, step, logits }) => ({ name, step, logits: [...logits] })),
    merged: merged && { checkpoints: merged.checkpoints, through: { ...merged.through } },
  };
}

/** Signals and extras of a record, each by its own name. */
function splitExtras(kept: ReadonlyMap<string, number>): {
  signals: Record<string, number>;
  extras: Record<string, number>;
} {
  const isExtra = ([name]: [string, number]): boolean => name.startsWith(EXTRAS_PREFIX);
  const entries = [...kept];
  return {
    signals: Object.fromEntries(entries.filter((each) => !isExtra(each))),
    extras: Object.fromEntries(
      entries.filter(isExtra).map(([name, value]) => [name.slice(EXTRAS_PREFIX.length), value]),
    ),
  };
}

/** The same for each id in turn; null if the id is unknown. */
export function renderLookUp(ids: readonly string[], found: LookUp) {
  const { shapes, staleShapes, shapeOf, weights, later, keptId, signals, signalsMax } = found;
  return ids.map((id, index) => {
    const kind = shapeOf[index] as number;
    if (kind === -1) return null;
    const { signals: names, observed } = shapes[kind] as SampleShape;
    const weight = weights[index] as number;
    const result: RenderedSample = { id, weight: Number.isNaN(weight) ? null : weight };
    if (keptId !== null) result.kept_id = keptId(id);
    const row = index * signalsMax;
    for (let s = 0; s < names.length; s++) {
      const name = names[s] as string;
      if (!name.startsWith(EXTRAS_PREFIX)) result[name as SignalName] = signals[row + s] as number;
    }
    if (later?.[index] === 1) result.later = true;
    result.stale = staleShapes[kind] as boolean;
    result.observed = observed;
    return result as Required<Pick<RenderedSample, "stale" | "observed">> & RenderedSample;
  });
}

/** Filled field by field: with thousands of ids, a spread costs more than reading the samples. */
interface RenderedSample extends Partial<Record<SignalName, number>> {
  id: string;
  kept_id?: string;
  weight: number | null;
  later?: boolean;
  stale?: boolean;
  observed?: SampleShape["observed"];
}

/** A direction without its entries. */
export function renderDirection(direction: KnownDirection): z.infer<typeof directionSchema> {
  return {
    name: direction.name,
    kind: direction.kind,
    model: { ...direction.model },
    gradient_scope: direction.gradientScope,
    loss: direction.loss,
    samples: direction.samples,
    zero_gradients: direction.zeroGradients,
    norm: direction.norm,
    preconditioned: direction.scale !== null,
    // The mean of unit vectors has a norm of at most 1, but rounding of the sums may exceed it.
    coherence:
      direction.kind === "mean_direction" && direction.scale === null ? Math.min(1, direction.norm) : null,
    bytes: direction.bytes,
    created_at: renderTime(direction.createdAtMs),
    stale: direction.stale,
  };
}

export function renderTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

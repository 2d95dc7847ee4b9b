import type { z } from "zod";
import type { Diagnostics } from "../importance/diagnostics.js";
import type { RememberedSample } from "../scoring/remembered.js";
import type { DatasetSummary, SnapshotInfo } from "../store/port.js";
import type { datasetSummarySchema, snapshotSchema } from "./schemas/dataset.js";
import type { diagnosticsSchema } from "./schemas/weighting.js";

/** Diagnostics as they are answered; every figure is null where nothing was weighed. */
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

export function renderSnapshot({
  version,
  createdAtMs,
  samples,
  provenance,
}: SnapshotInfo): z.infer<typeof snapshotSchema> {
  return { version, as_of: renderTime(createdAtMs), samples, provenance: { ...provenance } };
}

export function renderDataset(summary: DatasetSummary): z.infer<typeof datasetSummarySchema> {
  return {
    dataset: summary.dataset,
    samples: summary.samples,
    created_at: renderTime(summary.createdAtMs),
    updated_at: renderTime(summary.updatedAtMs),
    models: [...summary.models],
    snapshot: summary.snapshot === null ? null : renderSnapshot(summary.snapshot),
  };
}

/** A remembered sample's id, weight and signals. */
export function renderRemembered({ id, record, weight, stale }: RememberedSample) {
  return { id, weight, ...Object.fromEntries(record.signals), stale };
}

export function renderTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

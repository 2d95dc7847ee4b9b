import { distributionOf } from "../../importance/distribution.js";
import type { LossName, SignalColumns, SignalName } from "../../importance/types.js";
import { multiplierOf, type Weighting } from "../../importance/weights.js";
import type { KnownOutputs } from "../outputs/outputs.js";
import type { BoundPlan } from "./plan.js";
import type { BatchSignals } from "./signals.js";

/**
 * One sample's answer as named fields: a result over HTTP, or a line of `assay score`. Fields that do not apply are absent. A
 * model with one logit has `logit`; a model with several has `logits` and `probabilities` (K).
 */
export interface SampleRow extends Partial<Record<SignalName, number>> {
  id: string | null;
  logit?: number;
  logits?: number[];
  probabilities?: number[];
  /** With an exact fraction: whether `grad_norm` is an estimate, and one standard error of it (0 if it is exact). */
  estimated?: boolean;
  grad_norm_error?: number;
  /** Null if the request has no weighting. */
  weight: number | null;
  /** With role `probability`: 1/(N p). */
  multiplier?: number | null;
  cached: boolean;
  truncated: boolean;
}

/** The answers of N samples in columns, without weights. */
export interface ScoredColumns {
  readonly ids: readonly (string | null)[]; // (N)
  readonly loss: LossName;
  readonly outputs: Pick<KnownOutputs, "logits" | "classes" | "cached" | "truncated">;
  readonly signals: SignalColumns;
}

/** What the logits say of the probabilities of one sample; null if the loss's logits give none. */
export function probabilitiesAt(
  { outputs: { logits, classes }, loss }: Pick<ScoredColumns, "outputs" | "loss">,
  index: number,
): readonly number[] | null {
  // Under the other losses of one logit, the logit gives no probability.
  if (classes === 1) return loss === "bce" ? distributionOf([logits[index] as number]).probabilities : null;
  return distributionOf(logits.subarray(index * classes, (index + 1) * classes)).probabilities;
}

/** The answers of N samples, in their order. */
export function sampleRows(
  { samples, loss, weighting: planned }: Pick<BoundPlan, "samples" | "loss" | "weighting">,
  { outputs, columns, estimated }: BatchSignals,
  weighting: Weighting | null,
): SampleRow[] {
  const named = [...columns];
  const drawn = planned?.options.role === "probability";
  return samples.map(({ id = null }, index) => {
    // The row is filled field by field, in the order of the answer. Spreading parts into a literal costs more than scoring from
    // the cache.
    const row = predictionAt(id, { outputs, loss }, index) as SampleRow;
    for (const [name, column] of named) {
      const value = column[index];
      if (typeof value === "number") row[name] = value;
    }
    if (estimated !== null) {
      row.estimated = !estimated.exact[index];
      row.grad_norm_error = estimated.errors[index] as number;
    }
    row.weight = weighting === null ? null : (weighting.weights[index] as number);
    if (row.weight !== null && drawn) row.multiplier = multiplierOf(row.weight, samples.length);
    row.cached = outputs.cached[index] as boolean;
    row.truncated = outputs.truncated[index] as boolean;
    return row;
  });
}

function predictionAt(
  id: string | null,
  scored: Pick<ScoredColumns, "outputs" | "loss">,
  index: number,
): Partial<SampleRow> {
  const { logits, classes } = scored.outputs;
  const probabilities = probabilitiesAt(scored, index);
  if (classes === 1) {
    const logit = logits[index] as number;
    return probabilities === null ? { id, logit } : { id, logit, probability: probabilities[1] as number };
  }
  const own = logits.subarray(index * classes, (index + 1) * classes);
  return { id, logits: Array.from(own), probabilities: [...(probabilities ?? [])] };
}

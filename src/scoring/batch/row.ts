import { distributionOf } from "../../importance/distribution.js";
import type { LossName, SignalName } from "../../importance/types.js";
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
    const row = predictionAt(id, outputs, index, loss) as SampleRow;
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
  { logits, classes }: KnownOutputs,
  index: number,
  loss: LossName,
): Partial<SampleRow> {
  if (classes === 1) {
    const logit = logits[index] as number;
    // Under the other losses of one logit, the logit gives no probability.
    return loss === "bce"
      ? { id, logit, probability: distributionOf([logit]).probabilities[1] as number }
      : { id, logit };
  }
  const own = logits.subarray(index * classes, (index + 1) * classes);
  return { id, logits: Array.from(own), probabilities: [...distributionOf(own).probabilities] };
}

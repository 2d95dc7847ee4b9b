import type { SignalName } from "../importance/types.js";
import type { ScoredSample } from "./score.js";

/**
 * One sample's answer as named fields: a result over HTTP, and a line of `assay score`. Fields that do not apply are
 * absent: `logit` is a model's with one logit, `logits` and `probabilities` (K) with several.
 */
export interface SampleRow extends Partial<Record<SignalName, number>> {
  id: string | null;
  logit?: number;
  logits?: number[];
  probabilities?: number[];
  weight: number | null;
  multiplier?: number | null;
  cached: boolean;
  truncated: boolean;
}

export function sampleRow({ id, logits, probabilities, signals, ...rest }: ScoredSample): SampleRow {
  const single = logits.length === 1;
  const { weight, multiplier, cached, truncated } = rest;
  return {
    id,
    ...(single ? { logit: logits[0] as number } : { logits: Array.from(logits) }),
    ...probabilitiesOf(probabilities, single),
    ...Object.fromEntries(signals),
    weight,
    ...(multiplier === undefined ? {} : { multiplier }),
    cached,
    truncated,
  };
}

function probabilitiesOf(probabilities: ArrayLike<number> | null, single: boolean): Partial<SampleRow> {
  if (probabilities === null) return {};
  return single ? { probability: probabilities[0] as number } : { probabilities: Array.from(probabilities) };
}

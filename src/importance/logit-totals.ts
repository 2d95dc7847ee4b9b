import { distributionOf } from "./distribution.js";

/** Entries of one class in `LogitTotals.sums`: Σp, Σp², Σ margin. */
const SUMS = 3;

/**
 * Sums over the logits that n checkpoints gave to one sample, from which the signals of its history follow for any label. They do
 * not depend on the label.
 */
export interface LogitTotals {
  /** K. */
  readonly classes: number;
  /** n. */
  readonly count: number;
  /**
   * (K, 3) Σp, Σp² and Σ margin of each class, where the margin is the class's logit minus the largest other. For one logit z the
   * row is that of class 1, whose p is sigmoid(z) and whose margin is z.
   */
  readonly sums: readonly number[];
  /**
   * (C) How often the predicted class was c at one checkpoint and another at the next; C = max(2, K). For one logit they are the
   * crossings of p = 0.5 upwards (class 0) and downwards (class 1).
   */
  readonly left: readonly number[];
  /** The class that the last checkpoint predicted: that of the largest logit; for one logit 1 if z > 0, or else 0. */
  readonly predicted: number;
}

/** The totals with the logits of the next checkpoints. @param logits (C, K) in the order of the checkpoints */
export function addLogits(
  totals: LogitTotals | null,
  logits: readonly number[],
  classes = logits.length,
): LogitTotals {
  let count = totals?.count ?? 0;
  let predicted = totals?.predicted ?? 0;
  const sums = totals === null ? new Array<number>(SUMS * classes).fill(0) : totals.sums.slice();
  const left = totals === null ? new Array<number>(Math.max(2, classes)).fill(0) : totals.left.slice();
  for (let at = 0; at < logits.length; at += classes) {
    const next =
      classes === 1 ? addOne(sums, logits[at] as number) : addMany(sums, logits.slice(at, at + classes));
    if (count > 0 && next !== predicted) left[predicted] = (left[predicted] as number) + 1;
    predicted = next;
    count++;
  }
  return { classes, count, sums, left, predicted };
}

/** Adds one logit; returns the predicted class. */
function addOne(sums: number[], z: number): number {
  const p = 1 / (1 + Math.exp(-z));
  addRow(sums, 0, p, z);
  return z > 0 ? 1 : 0;
}

function addMany(sums: number[], logits: ArrayLike<number>): number {
  const { probabilities } = distributionOf(logits);
  let top = 0;
  let second = Number.NEGATIVE_INFINITY;
  for (let k = 1; k < logits.length; k++) {
    if ((logits[k] as number) > (logits[top] as number)) {
      second = logits[top] as number;
      top = k;
    } else second = Math.max(second, logits[k] as number);
  }
  const largest = logits[top] as number;
  for (let k = 0; k < logits.length; k++)
    addRow(sums, k, probabilities[k] as number, (logits[k] as number) - (k === top ? second : largest));
  return top;
}

function addRow(sums: number[], k: number, p: number, margin: number): void {
  const at = SUMS * k;
  sums[at] = (sums[at] as number) + p;
  sums[at + 1] = (sums[at + 1] as number) + p * p;
  sums[at + 2] = (sums[at + 2] as number) + margin;
}

/** Means over the checkpoints for the label's class c. */
export interface ClassMeans {
  /** Mean of p_c. */
  readonly probability: number;
  /** Standard deviation of p_c over the n checkpoints (divided by n, not n − 1). */
  readonly deviation: number;
  readonly margin: number;
}

/** @param c a class; of one logit 0 or 1 */
export function classMeans({ classes, count, sums }: LogitTotals, c: number): ClassMeans {
  const at = classes === 1 ? 0 : SUMS * c;
  const mean = (sums[at] as number) / count;
  const margin = (sums[at + 2] as number) / count;
  // Rounding may make the difference negative where all p are equal.
  const deviation = Math.sqrt(Math.max(0, (sums[at + 1] as number) / count - mean * mean));
  return classes === 1 && c === 0
    ? { probability: 1 - mean, deviation, margin: -margin }
    : { probability: mean, deviation, margin };
}

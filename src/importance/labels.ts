import type { Label, LossName } from "./types.js";

/** How much the sum of K probabilities may differ from 1: a teacher's probabilities, printed with three digits, must pass. */
const SUM_TOLERANCE = 1e-3;

/**
 * What is wrong with a label under a loss, as a sentence for the person who sent it; null if nothing is wrong. A missing label
 * (null) is no fault here, because the signals decide whether a label is needed.
 */
export function labelFault(label: Label, loss: LossName, classes: number): string | null {
  if (label === null) return null;
  if (loss === "cross_entropy") {
    return typeof label === "number" ? classIndexFault(label, classes) : probabilitiesFault(label, classes);
  }
  if (typeof label !== "number") return `${loss} takes one number as a label, not a list`;
  if (!Number.isFinite(label)) return "a label must be a finite number";
  if (loss === "listwise" && label < 0) return `listwise takes a grade of at least 0, not ${label}`;
  if (loss === "bce" && (label < 0 || label > 1)) {
    return `bce takes a label from 0 to 1, not ${label}; rescale a rating, such as 0 to 3, by dividing it by its maximum`;
  }
  return null;
}

/** Whether the label names one class: 0 or 1 for one logit, a class index for several logits. */
export function isHard(label: Label, classes: number): label is number {
  return typeof label === "number" && (classes > 1 || label === 0 || label === 1);
}

/**
 * The label as a distribution over C = max(2, K) classes: (1 − y, y) for one logit. Given probabilities are divided by their sum,
 * which removes the rounding error that `labelFault` tolerates.
 *
 * @param label one without a fault under `bce` or `cross_entropy`, by `labelFault`
 * @returns (C), sums to 1
 */
export function targetOf(label: number | readonly number[], classes: number): readonly number[] {
  if (typeof label !== "number") {
    const total = label.reduce((sum, y) => sum + y, 0);
    return label.map((y) => y / total);
  }
  if (classes === 1) return [1 - label, label];
  return Array.from({ length: classes }, (_, k) => (k === label ? 1 : 0));
}

function classIndexFault(label: number, classes: number): string | null {
  if (Number.isInteger(label) && label >= 0 && label < classes) return null;
  return `cross_entropy takes a class index from 0 to ${classes - 1} or ${classes} probabilities, not ${label}`;
}

function probabilitiesFault(label: readonly number[], classes: number): string | null {
  if (label.length !== classes)
    return `the model has ${classes} classes, but the label has ${label.length} probabilities`;
  if (label.some((y) => !(y >= 0 && y <= 1))) return "each of a label's probabilities must be from 0 to 1";
  const total = label.reduce((sum, y) => sum + y, 0);
  // Two ulps more are allowed: 0.333 three times must pass, which is 1e-3 below 1, and in binary slightly more than that.
  if (Math.abs(total - 1) > SUM_TOLERANCE + 2 * Number.EPSILON) {
    return `a label's probabilities must sum to 1, not ${total}`;
  }
  return null;
}

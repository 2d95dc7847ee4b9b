import { randomOf } from "../selection/random.js";
import type { Seed } from "../selection/types.js";
import type { Anchors } from "./rates.js";

/** How many labels are wrong. */
export interface WrongLabels {
  readonly count: number;
  /** 95% interval: percentiles of a bootstrap over groups. */
  readonly low: number;
  readonly high: number;
}

/** Parts of the data that the bootstrap draws. A group lies in one part. */
export const PARTS_MAX = 1000;
const DRAWS = 1000;

/** What the estimate reads of a part: samples, those labelled 1, and the anchors of each label with their wrong ones. */
const FIGURES = 6;

/**
 * Estimates the number of wrong labels: e0·N(1 − π) + e1·Nπ with the share π = (P(labelled 1) − e0)/(1 − e0 − e1) of true 1 kept in
 * [0, 1]. The interval draws whole parts with replacement, rates and share anew each time; the anchors stay the same samples.
 * It says how much the figure varies with the data. It does not contain the model's faults among the anchors, which make it too large.
 *
 * @param labels (N) observed, 0 or 1
 * @param partOf (N) from 0 to `PARTS_MAX` − 1
 */
export function countWrong(
  labels: Uint8Array,
  { side }: Anchors,
  partOf: Uint16Array,
  seed: Seed,
): WrongLabels {
  const parts = partOf.reduce((most, part) => Math.max(most, part), 0) + 1;
  const figures = new Float64Array(parts * FIGURES);
  const add = (part: number, figure: number): void => {
    const at = part * FIGURES + figure;
    figures[at] = (figures[at] as number) + 1;
  };
  for (let row = 0; row < labels.length; row++) {
    const part = partOf[row] as number;
    const isOne = labels[row] === 1;
    add(part, 0);
    if (isOne) add(part, 1);
    if (side[row] === 1) add(part, 2);
    if (side[row] === 1 && isOne) add(part, 3);
    if (side[row] === 2) add(part, 4);
    if (side[row] === 2 && !isOne) add(part, 5);
  }
  const random = randomOf(seed, "wrong labels");
  const all = estimate(figures, parts, (part) => part);
  const drawn = Float64Array.from({ length: DRAWS }, () =>
    // A share, because the number of samples varies between draws.
    estimate(figures, parts, () => random.below(parts)),
  ).sort();
  const at = (share: number): number => labels.length * (drawn[Math.round(share * (DRAWS - 1))] as number);
  return { count: labels.length * all, low: at(0.025), high: at(0.975) };
}

/** The share of wrong labels in the parts that `drawPart` gives. */
function estimate(figures: Float64Array, parts: number, drawPart: (index: number) => number): number {
  const total = new Float64Array(FIGURES);
  for (let index = 0; index < parts; index++) {
    const start = drawPart(index) * FIGURES;
    for (let figure = 0; figure < FIGURES; figure++)
      total[figure] = (total[figure] as number) + (figures[start + figure] as number);
  }
  const ratio = (part: number, whole: number): number => {
    const size = total[whole] as number;
    return size === 0 ? 0 : (total[part] as number) / size;
  };
  const [e0, e1] = [ratio(3, 2), ratio(5, 4)];
  const share = e0 + e1 >= 1 ? 0.5 : Math.min(1, Math.max(0, (ratio(1, 0) - e0) / (1 - e0 - e1)));
  return e0 * (1 - share) + e1 * share;
}

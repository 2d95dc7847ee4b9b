import { indexAt, type Sorted } from "../sorted.js";
import type { Rates } from "./posterior.js";

/** How often samples of one true label carry the other. */
export interface FlipRate {
  readonly trueLabel: 0 | 1;
  readonly rate: number;
  /** 95% interval of the share among the anchors. It does not contain the model's own faults. */
  readonly low: number;
  readonly high: number;
  /** Samples from which it was read. */
  readonly anchors: number;
}

/** The samples whose true label the scores make plain. */
export interface Anchors {
  /** (N) 1 for an anchor of label 0, 2 for an anchor of label 1, 0 for the others. */
  readonly side: Uint8Array;
  /** [label 0, label 1] */
  readonly counts: readonly [number, number];
}

/** The anchors of the rarer label: so many, or this part of its observed samples if that is more. */
const RARE_ANCHORS = 100;
const RARE_PARTS = 20;
/** Of the samples, those that are anchors of the more frequent label. */
const FREQUENT_SHARE = 1 / 4;
/** The rarer label needs this many observed samples for each of its anchors. */
const RARE_PER_ANCHOR = 2;

/**
 * The anchors: the quarter of the samples with the lowest scores are taken to be 0 in truth, and the 100 with the highest scores to
 * be 1 (a twentieth of those labelled 1, if that is more); the other way round where 0 is the rarer label. Null if there are too few
 * samples of either label.
 */
export function anchorsOf(order: Sorted, observedOnes: number): Anchors | null {
  const { count } = order;
  const rare = Math.min(observedOnes, count - observedOnes);
  const frequentAnchors = Math.floor(count * FREQUENT_SHARE);
  if (rare < RARE_PER_ANCHOR * RARE_ANCHORS || frequentAnchors < RARE_ANCHORS) return null;
  const rareAnchors = Math.max(RARE_ANCHORS, Math.floor(rare / RARE_PARTS));
  const counts =
    rare === observedOnes
      ? ([frequentAnchors, rareAnchors] as const)
      : ([rareAnchors, frequentAnchors] as const);
  const side = new Uint8Array(count);
  for (let place = 0; place < counts[0]; place++) side[indexAt(order, place)] = 1;
  for (let place = count - counts[1]; place < count; place++) side[indexAt(order, place)] = 2;
  return { side, counts };
}

/** The share of the other label among the anchors of each. */
export function flipRates({ side, counts }: Anchors, labels: Uint8Array): readonly [FlipRate, FlipRate] {
  const wrong = [0, 0];
  for (let row = 0; row < labels.length; row++) {
    const at = side[row] as number;
    if (at === 1 && labels[row] === 1) wrong[0] = (wrong[0] as number) + 1;
    if (at === 2 && labels[row] === 0) wrong[1] = (wrong[1] as number) + 1;
  }
  const rateOf = (trueLabel: 0 | 1): FlipRate => ({
    trueLabel,
    rate: (wrong[trueLabel] as number) / counts[trueLabel],
    ...wilson(wrong[trueLabel] as number, counts[trueLabel]),
    anchors: counts[trueLabel],
  });
  return [rateOf(0), rateOf(1)];
}

/** The 97.5% quantile of the normal distribution. */
const Z = 1.959963984540054;

/** 95% score interval of a share (Wilson 1927, JASA 22(158)). */
export function wilson(hits: number, count: number): { low: number; high: number } {
  const share = hits / count;
  const scale = 1 + Z ** 2 / count;
  const middle = (share + Z ** 2 / (2 * count)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** What forbids to tell the two rates apart, or to use them. */
export type RatesFault = "few" | "overlap" | "large";

/**
 * The rates to rank by: the ends of the two intervals that are nearest to each other. With the rates themselves, chance among the
 * anchors ranks worse than the loss where the true rates are alike; so the ranking leaves the loss by no more than the data asks
 * for.
 */
export function cautiousRates([zero, one]: readonly [FlipRate, FlipRate]): Rates {
  return zero.rate < one.rate ? { e0: zero.high, e1: one.low } : { e0: zero.low, e1: one.high };
}

/** Why the rates cannot rank; null if they can. */
export function ratesFault([zero, one]: readonly [FlipRate, FlipRate]): RatesFault | null {
  if (zero.high + one.high >= 1) return "large";
  return zero.low <= one.high && one.low <= zero.high ? "overlap" : null;
}

import type { Seed } from "../selection/types.js";
import { sorted } from "../sorted.js";
import { calibrateLabels, FOLDS } from "./calibrate.js";
import { type Rates, wrongChance } from "./posterior.js";
import { anchorsOf, cautiousRates, type FlipRate, flipRates, type RatesFault, ratesFault } from "./rates.js";
import { countWrong, PARTS_MAX, type WrongLabels } from "./wrong-labels.js";

/** N samples with hard labels of two classes, and what a model says of them. */
export interface LabelledScores {
  /** (N) The model's chance of label 1. */
  readonly probabilities: Float64Array;
  /** (N) 0 or 1, as observed. */
  readonly labels: Uint8Array;
  /** (N) The number of each sample's group. Samples of one group are never on both sides of a fit. */
  readonly groups: Uint32Array;
}

/** How suspicious each label is. */
export interface Noise {
  /** (N) From 0 to 1. `rates`: the chance that the label is wrong. `loss`: 1 − the model's probability of the label. */
  readonly noise: Float64Array;
  /** What `noise` is made of. */
  readonly method: "rates" | "loss";
  /** Why the method is not `rates`; null if it is. */
  readonly fault: RatesFault | null;
  /** Null if there are too few samples. */
  readonly rates: readonly [FlipRate, FlipRate] | null;
  /** The rates that `noise` is made of; null if it is of the loss. */
  readonly used: Rates | null;
  /** Null where there are no rates, or their sum reaches 1. */
  readonly wrong: WrongLabels | null;
}

/**
 * The chance that each label is wrong. The two flip rates come from anchors, the scores are calibrated to the observed labels, and
 * Bayes' rule does the rest (see `wrongChance`). Under one flip rate this ranks as the loss does, so the loss is used as it is
 * where the intervals of the rates overlap, and where there are no rates.
 */
export function estimateNoise(scores: LabelledScores, seed: Seed): Noise {
  const { probabilities, labels, groups } = scores;
  const order = sorted(probabilities);
  const ones = labels.reduce((count, label) => count + label, 0);
  const anchors = anchorsOf(order, ones);
  if (anchors === null)
    return { noise: doubtsOf(scores), method: "loss", fault: "few", rates: null, used: null, wrong: null };
  const rates = flipRates(anchors, labels);
  const fault = ratesFault(rates);
  const partOf = Uint16Array.from(groups, (group) => group % PARTS_MAX);
  const wrong = fault === "large" ? null : countWrong(labels, anchors, partOf, seed);
  if (fault !== null) return { noise: doubtsOf(scores), method: "loss", fault, rates, used: null, wrong };
  const foldOf = Uint8Array.from(groups, (group) => group % FOLDS);
  const calibrated = calibrateLabels(probabilities, order, labels, foldOf);
  const used = cautiousRates(rates);
  const noise = calibrated.map((p, row) => wrongChance(p, labels[row] as number, used));
  return { noise, method: "rates", fault: null, rates, used, wrong };
}

/** (N) 1 − the model's probability of the label, which ranks as the loss does. */
export function doubtsOf({ probabilities, labels }: Omit<LabelledScores, "groups">): Float64Array {
  return probabilities.map((p, row) => (labels[row] === 1 ? 1 - p : p));
}

/** (N) The rows, the most suspicious first: by noise, equal noise by doubt, and then in their order. */
export function bySuspicion(noise: Float64Array, doubts: Float64Array): Uint32Array {
  return Uint32Array.from(noise.keys()).sort(
    (a, b) =>
      (noise[b] as number) - (noise[a] as number) || (doubts[b] as number) - (doubts[a] as number) || a - b,
  );
}

import type { Histogram, Snapshot } from "./api/answers.js";
import { formatCount, formatNumber, formatShare, inWords } from "./format.js";

/**
 * The part of the samples whose value is below `value`, in [0, 1], from a histogram: exact at the edges of its bins, interpolated within.
 * Null if the histogram counted nothing.
 */
export function percentileOf({ count, edges, counts }: Histogram, value: number): number | null {
  const [least] = edges;
  const most = edges.at(-1);
  if (count === 0 || least === undefined || most === undefined) return null;
  if (value <= least) return 0;
  if (value >= most) return 1;
  let below = 0;
  for (const [bin, samples] of counts.entries()) {
    const [min = least, max = most] = [edges[bin], edges[bin + 1]];
    if (value < max) return (below + (samples * (value - min)) / (max - min)) / count;
    below += samples;
  }
  return 1;
}

interface Weighed {
  readonly weight: number | null;
  /** True if the sample came after the snapshot. */
  readonly later: boolean;
  readonly snapshot: Snapshot | null;
  /** The value of the signal that the weighting reads. */
  readonly value: number | null;
  /** The part of the dataset below that value, in [0, 1]. */
  readonly percentile: number | null;
}

/** Why a sample weighs what it weighs, a sentence each. */
export function wordsOfWeight({ weight, later, snapshot, value, percentile }: Weighed): string[] {
  if (snapshot === null) return ["The dataset has not been weighed yet, so the sample has no weight."];
  const { signal, scheme, smoothing = 0, clip = null, balance = false } = snapshot.provenance.weighting ?? {};
  const read = signal === undefined ? "several signals" : inWords(signal);
  if (weight === null)
    return [`Snapshot ${snapshot.version} gives it no weight: the sample came later, without ${read}.`];
  const words = [wordsOfShare(weight, snapshot)];
  if (scheme === "uniform") words.push("The weighting is uniform: it does not look at the sample.");
  else if (scheme !== undefined)
    words.push(`${WORDS_OF_SCHEME[scheme]?.(read) ?? `The scheme is ${scheme}.`}`);
  if (value !== null && percentile !== null)
    words.push(
      `Its ${read} is ${formatNumber(value)}, above about ${formatShare(percentile)} of the dataset.`,
    );
  if (smoothing > 0)
    words.push(`Smoothing mixes ${formatShare(smoothing)} of an equal weight into every weight.`);
  if (clip !== null) words.push(`No weight is more than ${formatNumber(clip)} times the mean.`);
  if (balance) words.push("Weights are balanced: the smaller class counts as much as the larger one.");
  if (later)
    words.push("The sample came after the snapshot: its weight is what the same weighting gives it.");
  return words;
}

function wordsOfShare(weight: number, { samples, weight_sum, version }: Snapshot): string {
  const times = (weight * samples) / (weight_sum ?? 1);
  return `It weighs ${formatNumber(times)} times the mean of the ${formatCount(samples)} samples in snapshot ${version}.`;
}

const WORDS_OF_SCHEME: Readonly<Record<string, (signal: string) => string>> = {
  proportional: (signal) => `Weights grow with ${signal}: twice as much weighs twice as much.`,
  inverse: (signal) => `Weights fall with ${signal}: twice as much weighs about half.`,
  softmax: (signal) => `Weights grow exponentially with ${signal}.`,
  rank: (signal) => `Weights follow the rank of the sample by ${signal}, not the value.`,
  unit_gradient: (signal) => `Weights are higher where ${signal} is small, up to a limit.`,
};

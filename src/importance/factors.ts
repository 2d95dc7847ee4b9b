import { largest } from "./columns.js";

/** What multiplies the scheme's raw weights. Absent: nothing. */
export interface SampleFactors {
  /** (N) finite, at least 0, in any unit: how much each sample counts before the scheme (impressions, propensities, value). */
  readonly base?: Float64Array | null;
  /** (N) class index of each sample, from 0. The classes are balanced by their frequencies. */
  readonly classes?: Uint16Array | null;
}

/** Factors with what they keep of N samples, so that they multiply the raw weight of a further sample in the same way. Plain JSON. */
export interface FittedFactors {
  /** The largest base; null if no base is given, or if it would leave no sample any weight. */
  readonly base_peak: number | null;
  /** Number of samples of each class index; null if the classes are not balanced. */
  readonly class_counts: readonly number[] | null;
}

/** What the factors read of one sample. */
export interface FactorsOfSample {
  readonly base?: number | null;
  /** Class index. */
  readonly class?: number | null;
}

export interface MultipliedWeights {
  readonly factors: FittedFactors;
  /** Every product of raw weight and base is 0. Then all products are 1: neither scheme nor base counts. */
  readonly zeroProducts: boolean;
}

/**
 * Multiplies raw weights in place by base and by inverse class frequency. The base is taken relative to its largest value, and the
 * factor of class c is n_min / n_c, with n_min the size of the smallest class; the normaliser divides both units out. So n_c times
 * the factor is equal for all classes: under the scheme `uniform` and without a base, all classes have the same total weight. This
 * is N/(C n_c), the `balanced` of scikit-learn, in another unit.
 *
 * @param raw (N), at least 0, at least one of them positive
 */
export function multiplyFactors(raw: Float64Array, { base, classes }: SampleFactors): MultipliedWeights {
  const zeroProducts = base ? !multiplyBase(raw, base) : false;
  if (zeroProducts) raw.fill(1);
  const factors: FittedFactors = {
    base_peak: base && !zeroProducts ? largest(base) : null,
    class_counts: classes ? countsOf(classes) : null,
  };
  if (classes && factors.class_counts !== null) {
    const counts = factors.class_counts;
    const ofClass = Float64Array.from(counts, (_, own) => inverseFrequency(counts, own));
    for (let index = 0; index < raw.length; index += 1) {
      raw[index] = (raw[index] as number) * (ofClass[classes[index] as number] as number);
    }
  }
  return { factors, zeroProducts };
}

/**
 * The product of a further sample's raw weight and its factors. A class that none of the N samples had counts like a class of one
 * sample.
 *
 * @throws RangeError if the sample lacks a factor, or if a base is negative or not finite
 */
export function multiplyLater(raw: number, fitted: FittedFactors, sample: FactorsOfSample): number {
  const { base_peak, class_counts } = fitted;
  const byBase = base_peak === null ? raw : raw * Math.min(baseOf(sample) / base_peak, Number.MAX_VALUE);
  if (class_counts === null) return byBase;
  return byBase * inverseFrequency(class_counts, classOf(sample));
}

/** n_min / n of a class of n samples, with n_min the size of the smallest class. A class of none counts as one of one sample. */
function inverseFrequency(counts: readonly number[], own: number): number {
  const smallest = counts.reduce((least, count) => (count > 0 ? Math.min(least, count) : least), Infinity);
  return smallest / Math.max(counts[own] ?? 0, 1);
}

/** Multiplies by base / largest base. False if every product is 0. */
function multiplyBase(raw: Float64Array, base: Float64Array): boolean {
  const peak = largest(base);
  if (peak === 0) return false;
  let positive = false;
  for (let index = 0; index < raw.length; index += 1) {
    const product = (raw[index] as number) * ((base[index] as number) / peak);
    raw[index] = product;
    if (product > 0) positive = true;
  }
  return positive;
}

function countsOf(classes: Uint16Array): number[] {
  const counts: number[] = [];
  for (let index = 0; index < classes.length; index += 1) {
    const own = classes[index] as number;
    while (counts.length <= own) counts.push(0);
    counts[own] = (counts[own] as number) + 1;
  }
  return counts;
}

/** @throws RangeError if it is negative or not finite */
export function checkBase(base: number): void {
  if (!Number.isFinite(base) || base < 0)
    throw new RangeError(`a base must be finite and at least 0, not ${base}`);
}

function baseOf({ base }: FactorsOfSample): number {
  if (base === undefined || base === null) throw new RangeError("the sample has no base");
  checkBase(base);
  return base;
}

function classOf({ class: own }: FactorsOfSample): number {
  if (own === undefined || own === null) throw new RangeError("the sample has no class");
  if (!Number.isInteger(own) || own < 0) throw new RangeError(`a class must be an index from 0, not ${own}`);
  return own;
}

/** A line that never falls, through blocks of pooled points. Between two blocks it is straight, outside it is level. */
export interface Isotonic {
  /** (B) The smallest and the largest score of each block, ascending. */
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  /** (B) Mean of the targets of each block, ascending. */
  readonly values: Float64Array;
}

/**
 * Isotonic regression by pooling adjacent violators (Barlow et al. 1972, "Statistical Inference under Order Restrictions"): the
 * line that never falls and is closest to the targets in squares. Equal scores are one point. It gives the predictions of
 * scikit-learn's `IsotonicRegression(out_of_bounds="clip")`.
 *
 * @param scores (n) ascending, n ≥ 1
 * @param targets (n)
 */
export function fitIsotonic(scores: Float64Array, targets: Float64Array): Isotonic {
  const lows: number[] = [];
  const highs: number[] = [];
  const sums: number[] = [];
  const counts: number[] = [];
  for (let at = 0; at < scores.length; ) {
    const score = scores[at] as number;
    let total = 0;
    let count = 0;
    for (; at < scores.length && scores[at] === score; at++) {
      total += targets[at] as number;
      count++;
    }
    let low = score;
    // A block whose mean is not below the new one is pooled with it, and so on downwards.
    while (sums.length > 0 && last(sums) * count >= total * last(counts)) {
      total += sums.pop() as number;
      count += counts.pop() as number;
      low = lows.pop() as number;
      highs.pop();
    }
    lows.push(low);
    highs.push(score);
    sums.push(total);
    counts.push(count);
  }
  return {
    lows: Float64Array.from(lows),
    highs: Float64Array.from(highs),
    values: Float64Array.from(sums, (total, block) => total / (counts[block] as number)),
  };
}

function last(numbers: readonly number[]): number {
  return numbers[numbers.length - 1] as number;
}

/** The height of the line at a score. */
export function isotonicAt({ lows, highs, values }: Isotonic, score: number): number {
  let low = 0;
  let high = lows.length - 1;
  // The last block that begins at the score or before it; the first if none does.
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lows[middle] as number) <= score) low = middle;
    else high = middle - 1;
  }
  const value = values[low] as number;
  const end = highs[low] as number;
  if (score <= end || low === values.length - 1) return value;
  const share = (score - end) / ((lows[low + 1] as number) - end);
  return value + share * ((values[low + 1] as number) - value);
}

/** Ways from scores to weights. */
export const SCHEMES = ["proportional", "softmax", "rank", "inverse", "uniform"] as const;
export type SchemeName = (typeof SCHEMES)[number];

export interface SchemeParameters {
  /** Exponent of `proportional`, at least 0. */
  readonly alpha: number;
  /** Of `softmax`, in the unit of the scores, above 0. */
  readonly temperature: number;
  /** Added to each score by `inverse`, in the unit of the scores, above 0. */
  readonly epsilon: number;
}

export interface SchemeRule {
  /** The one parameter that the scheme reads. */
  readonly parameter: keyof SchemeParameters | null;
  /** Takes only scores of at least 0. */
  readonly nonNegativeOnly: boolean;
}

export const SCHEME_RULES: Readonly<Record<SchemeName, SchemeRule>> = {
  proportional: { parameter: "alpha", nonNegativeOnly: true },
  softmax: { parameter: "temperature", nonNegativeOnly: false },
  rank: { parameter: null, nonNegativeOnly: false },
  inverse: { parameter: "epsilon", nonNegativeOnly: true },
  uniform: { parameter: null, nonNegativeOnly: false },
};

/**
 * Weights up to a common factor. Scores are taken relative to their extreme first, so that the largest raw weight is 1
 * (for `rank` N at most) and nothing overflows, from 5e-324 to the largest double.
 *
 * @param scores (N), finite, N ≥ 1; at least 0 where the scheme's rule says so
 * @returns (N), at least 0, at least one of them positive
 */
export function rawWeights(
  scores: Float64Array,
  scheme: SchemeName,
  { alpha, temperature, epsilon }: SchemeParameters,
): Float64Array {
  switch (scheme) {
    case "proportional":
      return proportional(scores, alpha);
    case "softmax": {
      const peak = largest(scores);
      return scores.map((s) => Math.exp((s - peak) / temperature));
    }
    case "rank":
      return ranks(scores);
    case "inverse": {
      // (m + ε)/(s + ε) with m the smallest score, in a form where s + ε cannot overflow.
      const least = smallest(scores);
      return scores.map((s) => 1 / (1 + (s - least) / (least + epsilon)));
    }
    case "uniform":
      return new Float64Array(scores.length).fill(1);
  }
}

/** s^α; all zeros mean uniform. */
function proportional(scores: Float64Array, alpha: number): Float64Array {
  const peak = largest(scores);
  return scores.map((s) => (peak === 0 ? 1 : (s / peak) ** alpha));
}

/** Position in ascending order, from 1 to N; ties share the mean of theirs. */
function ranks(scores: Float64Array): Float64Array {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] as number) - (scores[b] as number));
  const ranked = new Float64Array(scores.length);
  for (let first = 0, next = 0; first < order.length; first = next) {
    const value = scores[order[first] as number];
    while (next < order.length && scores[order[next] as number] === value) next += 1;
    for (const index of order.subarray(first, next)) ranked[index] = (first + 1 + next) / 2;
  }
  return ranked;
}

function largest(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b));
}

function smallest(values: Float64Array): number {
  return values.reduce((a, b) => Math.min(a, b));
}

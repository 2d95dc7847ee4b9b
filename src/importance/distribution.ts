/**
 * The class probabilities of one sample over C = max(2, K) classes. It keeps all three forms because each loses precision when it
 * is computed from another: if two logits differ by 40, 1 − p is 4e-18, but subtraction gives 0.
 */
export interface Distribution {
  /** (C) p. */
  readonly probabilities: readonly number[];
  /** (C) 1 − p. */
  readonly complements: readonly number[];
  /** (C) −ln p, in nats. */
  readonly surprisals: readonly number[];
}

/**
 * Softmax of K logits. One logit z means the two logits (0, z); the second probability is then sigmoid(z).
 *
 * With m the largest logit and R = Σ_{j≠m} e^{z_j − z_m}: p_k = e^{z_k − z_m} / (1 + R), 1 − p_m = R / (1 + R),
 * −ln p_k = (z_m − z_k) + ln(1 + R). No term overflows and no sum cancels.
 *
 * @param logits (K), finite
 */
export function distributionOf(logits: ArrayLike<number>): Distribution {
  if (logits.length === 1) return distributionOfTwo(logits[0] as number);
  const z = Array.from(logits);
  let top = 0;
  for (let k = 1; k < z.length; k += 1) if ((z[k] as number) > (z[top] as number)) top = k;
  const peak = z[top] as number;
  const scaled = z.map((value) => Math.exp(value - peak));
  let rest = 0;
  for (let k = 0; k < scaled.length; k += 1) if (k !== top) rest += scaled[k] as number;
  const total = 1 + rest;
  const logTotal = Math.log1p(rest);
  return {
    probabilities: scaled.map((e) => e / total),
    complements: scaled.map((e, k) => (k === top ? rest : total - e) / total),
    surprisals: z.map((value) => peak - value + logTotal),
  };
}

/** The same for the logits (0, z), without loops: most models have one logit, and loops over two cost several times as much. */
function distributionOfTwo(z: number): Distribution {
  const rest = Math.exp(-Math.abs(z));
  const total = 1 + rest;
  const logTotal = Math.log1p(rest);
  const larger = 1 / total;
  const smaller = rest / total;
  return z > 0
    ? {
        probabilities: [smaller, larger],
        complements: [larger, smaller],
        surprisals: [z + logTotal, logTotal],
      }
    : {
        probabilities: [larger, smaller],
        complements: [smaller, larger],
        surprisals: [logTotal, logTotal - z],
      };
}

/** Entropy −Σ p ln p in nats, from 0 to ln C. */
export function entropyOf({ probabilities, surprisals }: Distribution): number {
  return probabilities.reduce((sum, p, k) => sum + p * (surprisals[k] as number), 0);
}

/** The two flip rates: P(labelled 1 | 0 in truth) and P(labelled 0 | 1 in truth), with a sum under 1. */
export interface Rates {
  readonly e0: number;
  readonly e1: number;
}

/**
 * The chance that a label is wrong, under flips that depend on the true label alone (Natarajan et al. 2013, "Learning with Noisy
 * Labels", NIPS). With p̃ = P(labelled 1 | x), the chance that 1 is true is p = (p̃ − e0)/(1 − e0 − e1), kept within [0, 1], and by
 * Bayes' rule
 * P(0 is true | labelled 1) = e0(1 − p) / (e0(1 − p) + (1 − e1)p) and P(1 is true | labelled 0) = e1 p / (e1 p + (1 − e0)(1 − p)).
 *
 * @param calibrated p̃
 */
export function wrongChance(calibrated: number, label: number, { e0, e1 }: Rates): number {
  const p = Math.min(1, Math.max(0, (calibrated - e0) / (1 - e0 - e1)));
  const [wrong, right] = label === 1 ? [e0 * (1 - p), (1 - e1) * p] : [e1 * p, (1 - e0) * (1 - p)];
  return wrong + right === 0 ? 0 : wrong / (wrong + right);
}

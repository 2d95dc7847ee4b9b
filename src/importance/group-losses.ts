import { distributionOf } from "./distribution.js";
import { crossEntropy, type LossAtLogits } from "./losses.js";
import type { GroupLossName, Label } from "./types.js";

/**
 * The loss of each sample's group, and the sample's share of the group's gradient, r_i = ∂L/∂z_i. A sample without a label does
 * not count in its group. A group whose labels are all equal has loss 0 and gradient 0.
 *
 * @param logits (N), one logit per sample
 * @param labels (N); `labelFault` has found no fault
 * @param groups (N)
 * @returns (N), null for a sample without a label
 */
export function groupLosses(
  logits: ArrayLike<number>,
  labels: readonly Label[],
  groups: readonly (string | null)[],
  loss: GroupLossName,
): (LossAtLogits | null)[] {
  const results: (LossAtLogits | null)[] = labels.map(() => null);
  for (const members of membersOf(groups, labels)) {
    const z = members.map((index) => logits[index] as number);
    const y = members.map((index) => labels[index] as number);
    const { loss: ofGroup, gradient } = loss === "pairwise" ? pairwise(z, y) : listwise(z, y);
    members.forEach((index, m) => {
      results[index] = { loss: ofGroup, gradient: [gradient[m] as number] };
    });
  }
  return results;
}

/** The indices of the labelled samples of each group. */
function membersOf(groups: readonly (string | null)[], labels: readonly Label[]): Iterable<number[]> {
  const members = new Map<string | null, number[]>();
  for (const [index, group] of groups.entries()) {
    if (labels[index] === null) continue;
    const known = members.get(group);
    if (known === undefined) members.set(group, [index]);
    else known.push(index);
  }
  return members.values();
}

/**
 * RankNet: the mean of ln(1 + e^{z_j − z_i}) over the pairs with y_i > y_j (Burges et al. 2005, "Learning to Rank using
 * Gradient Descent", ICML). Each of the P pairs subtracts sigmoid(z_j − z_i)/P from r_i and adds it to r_j. The cost is n² steps.
 *
 * @param z (n) logits
 * @param y (n) labels; only their order counts
 */
function pairwise(z: readonly number[], y: readonly number[]): LossAtLogits {
  const gradient = z.map(() => 0);
  let total = 0;
  let pairs = 0;
  for (let i = 0; i < z.length; i += 1) {
    for (let j = 0; j < z.length; j += 1) {
      if (!((y[i] as number) > (y[j] as number))) continue;
      const lead = (z[i] as number) - (z[j] as number);
      const e = Math.exp(-Math.abs(lead));
      const pull = (lead > 0 ? e : 1) / (1 + e);
      total += Math.log1p(e) + Math.max(0, -lead);
      gradient[i] = (gradient[i] as number) - pull;
      gradient[j] = (gradient[j] as number) + pull;
      pairs += 1;
    }
  }
  if (pairs === 0) return { loss: 0, gradient };
  return { loss: total / pairs, gradient: gradient.map((g) => g / pairs) };
}

/**
 * ListNet's top-one cross-entropy −Σ_i t_i ln p_i with p = softmax(z) over the group and t = y/Σy, so r = p − t (Cao et al.
 * 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML).
 *
 * @param z (n) logits
 * @param y (n) grades of at least 0
 */
function listwise(z: readonly number[], y: readonly number[]): LossAtLogits {
  if (y.every((grade) => grade === y[0])) return { loss: 0, gradient: z.map(() => 0) };
  const total = y.reduce((a, b) => a + b);
  return crossEntropy(
    distributionOf(z),
    y.map((grade) => grade / total),
    z.length,
  );
}

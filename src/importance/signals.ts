import { type Distribution, distributionOf, entropyOf } from "./distribution.js";
import { isHard, labelFault, targetOf } from "./labels.js";
import { crossEntropy, type LossAtLogits, squaredError } from "./losses.js";
import { suitableLosses, suitableSignals } from "./suitability.js";
import type { Label, LogitBatch, LossName, SignalName } from "./types.js";

/** (N) One signal of a batch: null where the sample's label is not the one that `labelNeed` names. Never NaN. */
export type SignalColumn = readonly (number | null)[];

/**
 * The named signals of N samples, in the order of `names`. Labelled and unlabelled samples may be mixed: a sample gets
 * null for what its label does not allow, which `labelNeed(name, classes)` tells beforehand.
 *
 * Values are finite for float32 logits, except that the `mse` loss of a label beyond 1e154 is infinite.
 *
 * @param labels (N) each passed by `labelFault`
 * @throws RangeError where the batch's lengths disagree, a logit is not finite, a label has a fault, or the loss does not
 *   suit the number of logits or a signal the loss: the caller has refused these
 */
export function computeSignals(
  batch: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  names: readonly SignalName[],
): Map<SignalName, SignalColumn> {
  checkBatch(batch, labels, loss, names);
  const columns = names.map((name): [SignalName, (number | null)[]] => [name, []]);
  for (const [index, label] of labels.entries()) {
    const sample = readSample(batch, index, label, loss);
    for (const [name, column] of columns) column.push(FORMULAS[name](sample));
  }
  return new Map(columns);
}

/** What the formulas read of one sample. */
interface Sample {
  /** (K) */
  readonly logits: ArrayLike<number>;
  readonly featureNormSquared: number;
  readonly label: Label;
  /** Null under `mse`, where a logit is no probability. */
  readonly distribution: Distribution | null;
  /** (C) The label as a distribution; null under `mse` or without a label. */
  readonly target: readonly number[] | null;
  /** Null without a label. */
  readonly atLogits: LossAtLogits | null;
}

const FORMULAS: Readonly<Record<SignalName, (sample: Sample) => number | null>> = {
  loss: ({ atLogits }) => atLogits?.loss ?? null,
  probability,
  margin,
  entropy: ({ distribution }) => distribution && entropyOf(distribution),
  confidence,
  el2n,
  grad_norm_last: gradNormLast,
};

/**
 * One logit: sigmoid(z), whatever the label. Several: p of the hard label's class, and null for a soft or missing label,
 * so that one column never mixes the probability of the label with that of the model's own choice; the whole
 * distribution is `distributionOf`.
 */
function probability({ logits, label, distribution }: Sample): number | null {
  if (distribution === null) return null;
  if (logits.length === 1) return distribution.probabilities[1] as number;
  return isHard(label, logits.length) ? (distribution.probabilities[label] as number) : null;
}

/** One logit: (2y − 1)z. Several: z of the label minus the largest of the others. Hard labels only. */
function margin({ logits, label, distribution }: Sample): number | null {
  if (distribution === null || !isHard(label, logits.length)) return null;
  if (logits.length === 1) return (2 * label - 1) * (logits[0] as number);
  let rival = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < logits.length; k += 1) if (k !== label) rival = Math.max(rival, logits[k] as number);
  return (logits[label] as number) - rival;
}

/** The probability that the model gives the label: Σ_k y_k p_k, for one logit p·y + (1 − p)(1 − y). */
function confidence({ distribution, target }: Sample): number | null {
  if (distribution === null || target === null) return null;
  return target.reduce((sum, y, k) => sum + y * (distribution.probabilities[k] as number), 0);
}

/**
 * EL2N ‖p − y‖₂ over the K logits (Paul, Ganguli & Dziugaite 2021, "Deep Learning on a Data Diet", arXiv:2107.07075),
 * which is ‖r‖ of both cross-entropies. The paper averages over several short trainings; this is one checkpoint.
 */
function el2n({ distribution, atLogits }: Sample): number | null {
  return distribution && atLogits && norm(atLogits.gradient);
}

/**
 * ‖r‖·√(‖h‖² + 1): the norm of the loss gradient by weight and bias of the last layer z = Wh + b, for ∂ℓ/∂W = r hᵀ and
 * ∂ℓ/∂b = r. As a proxy for the gradient by all parameters: Katharopoulos & Fleuret 2018, "Not All Samples Are Created
 * Equal", arXiv:1803.00942, whose bound is ‖r‖ alone up to a factor common to all samples.
 */
function gradNormLast({ atLogits, featureNormSquared }: Sample): number | null {
  return atLogits && norm(atLogits.gradient) * Math.sqrt(featureNormSquared + 1);
}

function norm(gradient: readonly number[]): number {
  return gradient.length === 1 ? Math.abs(gradient[0] as number) : Math.hypot(...gradient);
}

function readSample(batch: LogitBatch, index: number, label: Label, loss: LossName): Sample {
  const { classes } = batch;
  const first = index * classes;
  const logits =
    classes === 1 ? [batch.logits[first] as number] : batch.logits.subarray(first, first + classes);
  const featureNormSquared = batch.featureNormsSquared[index] as number;
  if (loss === "mse") {
    const atLogits = label === null ? null : squaredError(logits[0] as number, label as number);
    return { logits, featureNormSquared, label, distribution: null, target: null, atLogits };
  }
  const distribution = distributionOf(logits);
  const target = label === null ? null : targetOf(label, classes);
  const atLogits = target && crossEntropy(distribution, target, classes);
  return { logits, featureNormSquared, label, distribution, target, atLogits };
}

function checkBatch(
  { logits, featureNormsSquared, classes }: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  names: readonly SignalName[],
): void {
  const count = labels.length;
  if (logits.length !== count * classes || featureNormsSquared.length !== count) {
    throw new RangeError(
      `${count} labels, ${logits.length} logits of ${classes} classes, ${featureNormsSquared.length} feature norms`,
    );
  }
  if (!suitableLosses(classes).includes(loss))
    throw new RangeError(`${loss} does not suit ${classes} logits`);
  const unsuitable = names.find((name) => !suitableSignals(loss).includes(name));
  if (unsuitable !== undefined) throw new RangeError(`${unsuitable} does not suit ${loss}`);
  if (!logits.every(Number.isFinite)) throw new RangeError("a logit is not finite");
  if (!featureNormsSquared.every(Number.isFinite)) throw new RangeError("a feature norm is not finite");
  for (const [index, label] of labels.entries()) {
    const fault = labelFault(label, loss, classes);
    if (fault !== null) throw new RangeError(`label ${index}: ${fault}`);
  }
}

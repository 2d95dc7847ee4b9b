import { checkBatch } from "./check-batch.js";
import { type Distribution, distributionOf, entropyOf } from "./distribution.js";
import { alignmentOf, expectedGradNorm, gradNorm, influenceOf, sensitivityOf } from "./gradients.js";
import { isHard, targetOf } from "./labels.js";
import { lossGradients, rowOf } from "./loss-gradients.js";
import type { LossAtLogits } from "./losses.js";
import { SIGNAL_RULES } from "./suitability.js";
import type { Label, LogitBatch, LossName, SignalName } from "./types.js";

/** (N) One signal of a batch: null where the sample's label is not the one that `labelNeed` names. Never NaN. */
export type SignalColumn = readonly (number | null)[];

/** What some signals read beside outputs and labels. */
export interface SignalContext {
  /** (N) The query of each sample, read by `pairwise` and `listwise`. */
  readonly groups?: readonly (string | null)[] | undefined;
  /** ‖v‖ of the direction that the batch's tangents are along, read by `alignment`. */
  readonly directionNorm?: number | undefined;
  /** (N) Loss of each sample under a reference model, read by `rho`; null where there is none. */
  readonly referenceLosses?: readonly (number | null)[] | undefined;
  /** Columns made elsewhere, taken as they are: `learned`, or an influence summed over checkpoints. */
  readonly given?: ReadonlyMap<SignalName, SignalColumn> | undefined;
}

/**
 * The named signals of N samples, in the order of `names`. Labelled and unlabelled samples may be mixed: a sample gets
 * null for what its label does not allow, which `labelNeed(name, classes)` tells beforehand.
 *
 * Values are finite for float32 logits, except that the `mse` loss of a label beyond 1e154 is infinite.
 *
 * @param labels (N) each passed by `labelFault`
 * @throws RangeError where the batch's lengths disagree, a figure is not finite, a label has a fault, the loss does not suit
 *   the number of logits or a signal the loss, or what a signal reads is absent: the caller has refused these
 */
export function computeSignals(
  batch: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  names: readonly SignalName[],
  context: SignalContext = {},
): Map<SignalName, SignalColumn> {
  checkBatch(batch, labels, loss, names, context);
  const atLogits = lossGradients(batch, labels, loss, context.groups ?? []);
  const columns = names.map((name): [SignalName, SignalColumn] => [name, context.given?.get(name) ?? []]);
  const computed = columns.filter(([name]) => context.given?.has(name) !== true) as [
    SignalName,
    (number | null)[],
  ][];
  const readsProbabilities = computed.some(([name]) => !SIGNAL_RULES[name].losses.includes("mse"));
  for (const [index, label] of labels.entries()) {
    const own = atLogits[index] ?? null;
    const sample = readSample(batch, index, label, readsProbabilities, own, context);
    for (const [name, column] of computed) column.push(FORMULAS[name](sample));
  }
  return new Map(columns);
}

/** What the formulas read of one sample. */
interface Sample {
  /** (K) */
  readonly logits: ArrayLike<number>;
  readonly featureNormSquared: number;
  readonly label: Label;
  /** Null where no signal of the request reads it, as under `mse`, where a logit is no probability. */
  readonly distribution: Distribution | null;
  /** (C) The label as a distribution; null with the one of the model, or without a label. */
  readonly target: readonly number[] | null;
  /** Null without a label. */
  readonly atLogits: LossAtLogits | null;
  /** (K, K); empty where no signal reads it, like the tangent. */
  readonly gram: ArrayLike<number>;
  /** (K) */
  readonly tangent: ArrayLike<number>;
  readonly directionNorm: number;
  readonly referenceLoss: number | null;
}

const FORMULAS: Readonly<Record<SignalName, (sample: Sample) => number | null>> = {
  loss: ({ atLogits }) => atLogits?.loss ?? null,
  probability,
  margin,
  entropy: ({ distribution }) => distribution && entropyOf(distribution),
  confidence,
  el2n,
  grad_norm_last: gradNormLast,
  grad_norm: ({ atLogits, gram }) => atLogits && gradNorm(atLogits.gradient, gram),
  sensitivity: ({ logits, gram }) => sensitivityOf(gram, logits.length),
  expected_grad_norm: ({ logits, distribution, gram }) =>
    distribution && expectedGradNorm(distribution, gram, logits.length),
  influence: ({ atLogits, tangent }) => atLogits && influenceOf(atLogits.gradient, tangent),
  alignment: ({ atLogits, gram, tangent, directionNorm }) =>
    atLogits && alignmentOf(atLogits.gradient, gram, tangent, directionNorm),
  tangent: tangentOf,
  rho,
  learned: () => null,
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

/**
 * ⟨∇z, v⟩: how the model's answer moves along v, per unit of it. Several logits: that of the hard label's class, and null for
 * a soft or missing label, as for `probability`.
 */
function tangentOf({ logits, label, tangent }: Sample): number | null {
  if (logits.length === 1) return tangent[0] as number;
  return isHard(label, logits.length) ? (tangent[label] as number) : null;
}

/**
 * Reducible holdout loss ℓ − ℓ_reference: what the model has still to learn of the sample, beyond what a model trained on
 * held-out data fails at too (Mindermann et al. 2022, arXiv:2206.07137).
 */
function rho({ atLogits, referenceLoss }: Sample): number | null {
  return atLogits === null || referenceLoss === null ? null : atLogits.loss - referenceLoss;
}

function norm(gradient: readonly number[]): number {
  return gradient.length === 1 ? Math.abs(gradient[0] as number) : Math.hypot(...gradient);
}

function readSample(
  { logits, featureNormsSquared, grams, tangents, classes }: LogitBatch,
  index: number,
  label: Label,
  readsProbabilities: boolean,
  atLogits: LossAtLogits | null,
  { directionNorm = 0, referenceLosses }: SignalContext,
): Sample {
  const own = rowOf(logits, index, classes);
  return {
    logits: own,
    featureNormSquared: featureNormsSquared[index] as number,
    label,
    distribution: readsProbabilities ? distributionOf(own) : null,
    target: readsProbabilities && label !== null ? targetOf(label, classes) : null,
    atLogits,
    gram: grams ? rowOf(grams, index, classes * classes) : [],
    tangent: tangents ? rowOf(tangents, index, classes) : [],
    directionNorm,
    referenceLoss: referenceLosses?.[index] ?? null,
  };
}

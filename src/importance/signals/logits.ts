import { entropyOf } from "../distribution.js";
import { isHard } from "../labels.js";
import {
  type Figures,
  NON_NEGATIVE,
  normOf,
  OF_ANY_LABEL,
  OF_NO_LABEL,
  OF_ONE_CLASS,
  OF_PROBABILITIES,
  SIGNED,
  type Signal,
} from "./signal.js";

/** Signals that read only logits and label. */
export const LOGIT_SIGNALS = {
  loss: { ...OF_ANY_LABEL, ...NON_NEGATIVE, formula: ({ atLogits }) => atLogits?.loss ?? null },
  probability: { ...OF_ONE_CLASS, ...NON_NEGATIVE, losses: OF_PROBABILITIES, formula: probability },
  margin: {
    labelOfOneLogit: "hard",
    labelOfManyLogits: "hard",
    ...SIGNED,
    losses: OF_PROBABILITIES,
    formula: margin,
  },
  entropy: {
    ...OF_NO_LABEL,
    ...NON_NEGATIVE,
    losses: OF_PROBABILITIES,
    formula: ({ distribution }) => distribution && entropyOf(distribution),
  },
  confidence: { ...OF_ANY_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES, formula: confidence },
  el2n: { ...OF_ANY_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES, formula: el2n },
} as const satisfies Record<string, Signal>;

/**
 * One logit: sigmoid(z), for any label or none. Several logits: p of the hard label's class, and null for a soft or missing
 * label. So a column never mixes the probability of the label with that of the model's own choice. `distributionOf` gives the
 * whole distribution.
 */
function probability({ logits, label, distribution }: Figures): number | null {
  if (distribution === null) return null;
  if (logits.length === 1) return distribution.probabilities[1] as number;
  return isHard(label, logits.length) ? (distribution.probabilities[label] as number) : null;
}

/** One logit: (2y − 1)z. Several logits: z of the label minus the largest of the others. For hard labels only. */
function margin({ logits, label, distribution }: Figures): number | null {
  if (distribution === null || !isHard(label, logits.length)) return null;
  if (logits.length === 1) return (2 * label - 1) * (logits[0] as number);
  let rival = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < logits.length; k += 1) if (k !== label) rival = Math.max(rival, logits[k] as number);
  return (logits[label] as number) - rival;
}

/** The probability that the model gives to the label: Σ_k y_k p_k. For one logit it is p·y + (1 − p)(1 − y). */
function confidence({ distribution, target }: Figures): number | null {
  if (distribution === null || target === null) return null;
  return target.reduce((sum, y, k) => sum + y * (distribution.probabilities[k] as number), 0);
}

/**
 * EL2N ‖p − y‖₂ over the K logits (Paul, Ganguli & Dziugaite 2021, "Deep Learning on a Data Diet", arXiv:2107.07075). It is ‖r‖
 * of both cross-entropies. The paper averages over several short trainings; this uses one checkpoint.
 */
function el2n({ distribution, atLogits }: Figures): number | null {
  return distribution && atLogits && normOf(atLogits.gradient);
}

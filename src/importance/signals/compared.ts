import { type Figures, OF_ANY_LABEL, OF_NO_LABEL, SIGNED, type Signal } from "./signal.js";

/** Signals that read another model's word. */
export const COMPARED_SIGNALS = {
  rho: { ...OF_ANY_LABEL, ...SIGNED, reads: ["reference"], formula: rho },
  // The folder's trees say it, inside the engine.
  learned: { ...OF_NO_LABEL, ...SIGNED, reads: ["learned"], formula: null },
} as const satisfies Record<string, Signal>;

/**
 * Reducible holdout loss ℓ − ℓ_reference: what the model has still to learn of the sample, beyond what a model trained on
 * held-out data fails at too (Mindermann et al. 2022, arXiv:2206.07137).
 */
function rho({ atLogits, referenceLoss }: Figures): number | null {
  return atLogits === null || referenceLoss === null ? null : atLogits.loss - referenceLoss;
}

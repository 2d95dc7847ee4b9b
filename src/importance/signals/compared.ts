import { type Figures, OF_ANY_LABEL, OF_NO_LABEL, SIGNED, type Signal } from "./signal.js";

/** Signals that read what another model says about the sample. */
export const COMPARED_SIGNALS = {
  rho: { ...OF_ANY_LABEL, ...SIGNED, reads: ["reference"], formula: rho },
  // The trees of the model folder give it, inside the engine.
  learned: { ...OF_NO_LABEL, ...SIGNED, reads: ["learned"], formula: null },
} as const satisfies Record<string, Signal>;

/**
 * Reducible holdout loss ℓ − ℓ_reference: the part of the loss that the model can still learn to remove, because a model that was
 * trained on held-out data does not have it (Mindermann et al. 2022, arXiv:2206.07137).
 */
function rho({ atLogits, referenceLoss }: Figures): number | null {
  return atLogits === null || referenceLoss === null ? null : atLogits.loss - referenceLoss;
}

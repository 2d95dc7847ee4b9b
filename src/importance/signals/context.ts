/** What some signals read in addition to outputs and labels. */
export interface SignalContext {
  /** (N) The query of each sample, read by `pairwise` and `listwise`. */
  readonly groups?: readonly (string | null)[] | undefined;
  /** ‖v‖ of the direction of the batch's tangents, read by `alignment`. */
  readonly directionNorm?: number | undefined;
  /** (N) Loss of each sample under a reference model, read by `rho`; null for a sample that has none. */
  readonly referenceLosses?: readonly (number | null)[] | undefined;
}

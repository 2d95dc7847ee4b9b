/** What some signals read beside outputs and labels. */
export interface SignalContext {
  /** (N) The query of each sample, read by `pairwise` and `listwise`. */
  readonly groups?: readonly (string | null)[] | undefined;
  /** ‖v‖ of the direction that the batch's tangents are along, read by `alignment`. */
  readonly directionNorm?: number | undefined;
  /** (N) Loss of each sample under a reference model, read by `rho`; null where there is none. */
  readonly referenceLosses?: readonly (number | null)[] | undefined;
}

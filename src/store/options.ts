/** What both adapters are told of outputs and digests. */
export interface StoreOptions {
  /** 32 bytes to use instead of the key that is kept in the store. */
  readonly digestKey?: Buffer | undefined;
  /** Outputs are kept for at least this long, and never for twice as long. */
  readonly outputsTtlMs?: number;
  /** Outputs give way when they are estimated to take more. */
  readonly outputsBytesMax?: number;
}

export type OutputsLimits = Required<Pick<StoreOptions, "outputsTtlMs" | "outputsBytesMax">>;

export const DIGEST_KEY_BYTES = 32;
export const OUTPUTS_TTL_MS = 30 * 24 * 3600 * 1000;
export const OUTPUTS_BYTES_MAX = 4 * 2 ** 30;

/** Options of both adapters for outputs and digests. */
export interface StoreOptions {
  /** 32 bytes that are used instead of the key in the store. */
  readonly digestKey?: Buffer | undefined;
  /** Outputs are kept for at least this long, and never for twice as long. */
  readonly outputsTtlMs?: number;
  /** The oldest outputs are deleted when all outputs are estimated to take more bytes. */
  readonly outputsBytesMax?: number;
}

export type OutputsLimits = Required<Pick<StoreOptions, "outputsTtlMs" | "outputsBytesMax">>;

export const DIGEST_KEY_BYTES = 32;
export const OUTPUTS_TTL_MS = 30 * 24 * 3600 * 1000;
export const OUTPUTS_BYTES_MAX = 4 * 2 ** 30;

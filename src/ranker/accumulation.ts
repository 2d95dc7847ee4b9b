import type { HostSums } from "./engine/host/host.js";
import type { Accumulation, Caller, Text } from "./port.js";

/** Sums that nobody has used for this long are dropped, because their client has probably gone. */
const IDLE_MS_MAX = 5 * 60_000;

/** Entries of the vector in one request to the engine: a megabyte. */
const CHUNK = 2 ** 18;

export interface AccumulationOptions {
  readonly sums: HostSums;
  /** Entries of a vector over the parameters of the gradient scope. */
  readonly count: number;
  /** Runs texts whose gradients add to the sums. */
  readonly run: (texts: readonly Text[], coefficients: Float32Array, caller: Caller) => Promise<void>;
  readonly idleMsMax?: number;
}

/** One accumulation in an engine process. It is dropped if nobody uses it for `idleMsMax`. */
export function createAccumulation({
  sums,
  count,
  run,
  idleMsMax = IDLE_MS_MAX,
}: AccumulationOptions): Accumulation {
  let users = 0;
  let idle: NodeJS.Timeout | undefined;

  function watch(): void {
    clearTimeout(idle);
    if (users > 0) return;
    idle = setTimeout(() => sums.close(`no request used them for ${idleMsMax / 1000} s`), idleMsMax);
    idle.unref();
  }

  async function using<T>(work: () => Promise<T>): Promise<T> {
    sums.check();
    users += 1;
    watch();
    try {
      return await work();
    } finally {
      users -= 1;
      watch();
    }
  }

  watch();
  return {
    add: (texts, coefficients, caller) => using(() => run(texts, coefficients, caller)),
    finish: (scale) =>
      using(async () => ({
        norm: (await sums.norm()) * Math.abs(scale),
        bytes: count * Float32Array.BYTES_PER_ELEMENT,
        async *read() {
          const chunkAt = (at: number): Promise<Float32Array> => {
            const chunk = using(() => sums.read(at, Math.min(CHUNK, count - at), scale));
            chunk.catch(() => undefined); // the loop below awaits it and gets the error
            return chunk;
          };
          // The engine makes the next chunk while the caller handles this one.
          let next = chunkAt(0);
          for (let at = 0; at < count; at += CHUNK) {
            const { buffer, byteOffset, byteLength } = await next;
            if (at + CHUNK < count) next = chunkAt(at + CHUNK);
            yield new Uint8Array(buffer, byteOffset, byteLength);
          }
        },
      })),
    async release() {
      clearTimeout(idle);
      sums.close("they were released");
    },
  };
}

import type { Place } from "../../parameters.js";

/**
 * Float64 sums over all parameters that several threads add to, one at a time: one copy, where sums of their own would take
 * 182 MB a thread for MiniLM. An addition takes some 10 ms and the run before it hundreds, so nobody waits for long.
 */
export interface SharedSums {
  readonly values: Float64Array<SharedArrayBuffer>;
  /** 1 while a thread adds; 1 once the sums are closed. */
  readonly flags: Int32Array<SharedArrayBuffer>;
}

const LOCK = 0;
const CLOSED = 1;

/** Zeros, in memory of sums that are closed where there is some. */
export function openSharedSums(
  count: number,
  memory: Float64Array<SharedArrayBuffer> | undefined,
): SharedSums {
  return {
    values:
      memory?.fill(0) ?? new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT)),
    flags: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)),
  };
}

/** From now on nothing is added, by a batch that still runs either; answers the memory, which is free. */
export function closeSharedSums(sums: SharedSums): Float64Array<SharedArrayBuffer> {
  locked(sums, () => Atomics.store(sums.flags, CLOSED, 1));
  return sums.values;
}

/** Adds a vector over all parameters. Of a table whose rows ids choose, only the rows of `ids` are looked at. */
export function addTo(
  sums: SharedSums,
  vector: Float32Array,
  places: readonly Place[],
  ids: ReadonlySet<number>,
): void {
  locked(sums, () => {
    if (Atomics.load(sums.flags, CLOSED) === 1) return;
    for (const { from, to, shape, rowsById } of places) {
      if (!rowsById) {
        addRange(sums.values, vector, from, to);
        continue;
      }
      const width = (to - from) / (shape[0] as number);
      for (const id of ids) addRange(sums.values, vector, from + id * width, from + (id + 1) * width);
    }
  });
}

function addRange(sums: Float64Array, vector: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) sums[i] = (sums[i] as number) + (vector[i] as number);
}

function locked({ flags }: SharedSums, work: () => void): void {
  while (Atomics.compareExchange(flags, LOCK, 0, 1) !== 0) Atomics.wait(flags, LOCK, 1);
  try {
    work();
  } finally {
    Atomics.store(flags, LOCK, 0);
    Atomics.notify(flags, LOCK, 1);
  }
}

import type { Place } from "../../parameters.js";

/**
 * Float64 sums over the parameters of the gradient scope. A session thread adds to them; the main thread reads and closes them. An
 * addition takes some 10 ms and the run before it hundreds, so neither thread waits long for the other.
 */
export interface SharedSums {
  readonly values: Float64Array<SharedArrayBuffer>;
  /** [0] is 1 while a thread adds; [1] is 1 once the sums are closed. */
  readonly flags: Int32Array<SharedArrayBuffer>;
}

const LOCK = 0;
const CLOSED = 1;

/** Sums of zero. `memory` of closed sums is used again if it is given. */
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

/** Closes the sums: a batch that still runs adds nothing any more. Answers the memory, which is free for other sums. */
export function closeSharedSums(sums: SharedSums): Float64Array<SharedArrayBuffer> {
  locked(sums, () => Atomics.store(sums.flags, CLOSED, 1));
  return sums.values;
}

/**
 * Adds a vector over the parameters of the gradient scope. In a table whose rows are selected by token ids, adds only the rows of
 * `ids`.
 */
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

import type { Place } from "../parameters.js";

/**
 * Float64 sums over all parameters that several threads add to, one at a time: one copy, where sums of their own would take
 * 182 MB a thread for MiniLM. An addition takes some 10 ms and the run before it hundreds, so nobody waits for long.
 */
export interface SharedSums {
  readonly values: Float64Array<SharedArrayBuffer>;
  /** One entry: 1 while a thread adds. */
  readonly lock: Int32Array<SharedArrayBuffer>;
}

/** Adds a vector over all parameters. Of a table whose rows ids choose, only the rows of `ids` are looked at. */
export function addTo(
  sums: SharedSums,
  vector: Float32Array,
  places: readonly Place[],
  ids: ReadonlySet<number>,
): void {
  locked(sums, () => {
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

function locked({ lock }: SharedSums, work: () => void): void {
  while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) Atomics.wait(lock, 0, 1);
  try {
    work();
  } finally {
    Atomics.store(lock, 0, 0);
    Atomics.notify(lock, 0, 1);
  }
}

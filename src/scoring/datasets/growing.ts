/** Values that are appended in pieces, for as many samples as there turn out to be. */
export interface Growing<A, Piece = A> {
  readonly length: number;
  push(piece: Piece): void;
  /** The values so far, without a copy. Nothing can be appended after it. */
  take(): A;
}

export type GrowingFloats = Growing<Float32Array>;
/** float64 values, appended as float32 or float64. */
export type GrowingDoubles = Growing<Float64Array, Float32Array | Float64Array>;
export type GrowingNumbers = Growing<Uint32Array>;

const COUNT = 4096;

export function growingFloats(): GrowingFloats {
  return growing(COUNT, (length) => new Float32Array(length));
}

/** @param expected about how many values there will be; more grow as the others do */
export function growingDoubles(expected = COUNT): GrowingDoubles {
  return growing(expected, (length) => new Float64Array(length));
}

/** @param expected as above */
export function growingNumbers(expected = COUNT): GrowingNumbers {
  return growing(expected, (length) => new Uint32Array(length));
}

/**
 * Grows by half, so the values take at most 1.5 times their size, and each is moved about twice. If the first length suffices, they
 * are not moved, and what is not filled takes no memory.
 */
function growing<A extends Float32Array | Float64Array | Uint32Array, Piece extends ArrayLike<number>>(
  first: number,
  make: (length: number) => A,
): Growing<A, Piece> {
  let values = make(first);
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(piece) {
      const needed = length + piece.length;
      if (needed > values.length) {
        const larger = make(Math.max(needed, Math.ceil(values.length * 1.5)));
        larger.set(values.subarray(0, length));
        values = larger;
      }
      values.set(piece, length);
      length = needed;
    },
    take: () => values.subarray(0, length) as A,
  };
}

/** Values that are appended in pieces, for as many samples as there turn out to be. */
export interface Growing<A> {
  readonly length: number;
  push(piece: A): void;
  /** The values so far, without a copy. Nothing can be appended after it. */
  take(): A;
}

export type GrowingFloats = Growing<Float32Array>;
export type GrowingNumbers = Growing<Uint32Array>;

export function growingFloats(): GrowingFloats {
  return growing((length) => new Float32Array(length));
}

export function growingNumbers(): GrowingNumbers {
  return growing((length) => new Uint32Array(length));
}

/** Grows by half, so the values take at most 1.5 times their size, and each is moved about twice. */
function growing<A extends Float32Array | Uint32Array>(make: (length: number) => A): Growing<A> {
  let values = make(4096);
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

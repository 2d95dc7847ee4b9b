/**
 * The largest `count` of N values, in ascending order. It reads the values once and holds a buffer of a few times `count`: a full
 * buffer is sorted and cut to its largest, whose smallest is the bound that later values have to exceed.
 *
 * @param values (N), finite
 * @param count from 1 to N
 */
export function largestOf(values: Float64Array, count: number): Float64Array {
  const buffer = new Float64Array(Math.min(values.length, 4 * count + 64));
  let held = 0;
  let bound = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    if (value <= bound) continue;
    if (held === buffer.length) {
      buffer.sort().copyWithin(0, held - count);
      held = count;
      bound = buffer[0] as number;
    }
    buffer[held] = value;
    held += 1;
  }
  return buffer
    .subarray(0, held)
    .sort()
    .slice(held - count);
}

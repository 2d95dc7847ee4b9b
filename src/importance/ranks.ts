/** (N) Position of each value in ascending order, from 1 to N. Equal values share the mean of their positions. */
export function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranked = new Float64Array(values.length);
  for (let first = 0, next = 0; first < order.length; first = next) {
    const value = values[order[first] as number];
    while (next < order.length && values[order[next] as number] === value) next += 1;
    for (const index of order.subarray(first, next)) ranked[index] = (first + 1 + next) / 2;
  }
  return ranked;
}

import { equalAt, indexAt, type Sorted, sorted } from "./sorted.js";

/**
 * (N) Position of each value in ascending order, from 1 to N. Equal values share the mean of their positions.
 *
 * @param order `sorted` of the values, if the caller has it
 */
export function ranksOf(values: Float64Array, order: Sorted = sorted(values)): Float64Array {
  const { count } = order;
  const ranked = new Float64Array(count);
  for (let first = 0, next = 0; first < count; first = next) {
    next = first + 1;
    while (next < count && equalAt(order, first, next)) next += 1;
    for (let place = first; place < next; place += 1) ranked[indexAt(order, place)] = (first + 1 + next) / 2;
  }
  return ranked;
}

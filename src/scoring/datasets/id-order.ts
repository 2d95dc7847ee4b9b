import { orderOf } from "../../importance/selection/order.js";

/**
 * (N) Rows in an order that depends on their ids alone: by a 53-bit hash of the id, and equal hashes by the id. Numbers within the
 * dataset would not do, because they depend on the order in which the samples arrived, and stores number the samples of one
 * request differently. Sorting the ids themselves would take ten times as long and hold all of them as texts.
 */
export function orderByIds(count: number, idOf: (row: number) => string): Uint32Array {
  const hashes = Float64Array.from({ length: count }, (_, row) => hashOf(idOf(row)));
  const order = orderOf(hashes);
  for (let start = 0; start < count; ) {
    const hash = hashes[order[start] as number];
    let end = start + 1;
    while (end < count && hashes[order[end] as number] === hash) end++;
    if (end - start > 1) order.subarray(start, end).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
    start = end;
  }
  return order;
}

/** Two multiplicative hashes of the UTF-16 units, each with the final mixing of MurmurHash3 (Appleby), as one whole number. */
function hashOf(id: string): number {
  let [low, high] = [0x811c9dc5, 0x9747b28c];
  for (let at = 0; at < id.length; at++) {
    const unit = id.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x5bd1e995);
  }
  return (mixed(high) & 0x1fffff) * 2 ** 32 + mixed(low);
}

function mixed(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

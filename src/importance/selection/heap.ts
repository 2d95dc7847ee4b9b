import { positionsWhere } from "./positions.js";

/**
 * (n) A binary heap of positions: the largest bound first, and of equal ones the lowest position. Whoever lowers the bound of
 * the first position calls `sink`.
 */
export function heapOf(bounds: Float64Array): Uint32Array {
  const heap = positionsWhere(bounds.length, () => true);
  for (let node = (heap.length >> 1) - 1; node >= 0; node -= 1) sink(heap, bounds, node);
  return heap;
}

/** Restores the heap under a node whose bound became lower. */
export function sink(heap: Uint32Array, bounds: Float64Array, from = 0): void {
  let node = from;
  for (;;) {
    let best = node;
    for (let child = 2 * node + 1; child <= 2 * node + 2 && child < heap.length; child += 1) {
      if (isBefore(heap[child] as number, heap[best] as number, bounds)) best = child;
    }
    if (best === node) return;
    const moved = heap[node] as number;
    heap[node] = heap[best] as number;
    heap[best] = moved;
    node = best;
  }
}

/** The second largest bound; −∞ if there is none. */
export function secondOf(heap: Uint32Array, bounds: Float64Array): number {
  let second = -Infinity;
  for (let child = 1; child <= 2 && child < heap.length; child += 1) {
    second = Math.max(second, bounds[heap[child] as number] as number);
  }
  return second;
}

function isBefore(a: number, b: number, bounds: Float64Array): boolean {
  const of = bounds[a] as number;
  const other = bounds[b] as number;
  return of > other || (of === other && a < b);
}

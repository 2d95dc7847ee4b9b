/** One state of a dataset. Every write or deletion of a sample makes a new state. */
export interface DatasetState {
  /** Name of one life of the dataset. */
  readonly incarnation: string;
  readonly updatedAtMs: number;
}

/** Number of samples of each shape, by the shape's number. */
export type Counts = readonly number[];

/**
 * Counts the samples of each shape of a dataset, once for each of its states. This is needed because version 1a1e855 kept no
 * counts. Call `forget` for a dataset that now has its own counts.
 */
export function countOnce<S extends DatasetState>(
  count: (state: S) => Promise<Counts>,
): { of(state: S): Promise<Counts>; forget(incarnation: string): void } {
  const counted = new Map<string, { updatedAtMs: number; counts: Promise<Counts> }>();
  return {
    of(state) {
      const { incarnation, updatedAtMs } = state;
      const known = counted.get(incarnation);
      if (known?.updatedAtMs === updatedAtMs) return known.counts;
      const counts = count(state);
      counted.set(incarnation, { updatedAtMs, counts });
      counts.catch(() => counted.delete(incarnation)); // the caller gets the error too
      return counts;
    },
    forget: (incarnation) => void counted.delete(incarnation),
  };
}

/** Changes the number of samples of a shape. */
export function recount(counts: number[], shape: number, change: number): void {
  counts[shape] = (counts[shape] ?? 0) + change;
}

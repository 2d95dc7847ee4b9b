/** One state of a dataset: a sample that is written or deleted makes another of it. */
export interface DatasetState {
  /** Name of one life of the dataset. */
  readonly incarnation: string;
  readonly updatedAtMs: number;
}

/** Samples of each shape, by the shape's number. */
export type Counts = readonly number[];

/**
 * Counts the samples of each shape of a dataset once for each of its states: 1a1e855 kept no counts. `forget` is for a dataset that
 * has counts of its own by now.
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
      counts.catch(() => counted.delete(incarnation)); // the caller hears of it
      return counts;
    },
    forget: (incarnation) => void counted.delete(incarnation),
  };
}

/** Adds to the samples of a shape. */
export function recount(counts: number[], shape: number, change: number): void {
  counts[shape] = (counts[shape] ?? 0) + change;
}

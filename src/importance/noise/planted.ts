/** What labels that were flipped on purpose tell about a ranking. */
export interface PlantedRecall {
  /** The planted samples that were found among those ranked. */
  readonly planted: number;
  /** Samples with at least this noise are flagged. */
  readonly threshold: number;
  /** Samples that it flags, the planted ones among them. */
  readonly flagged: number;
  /** By the label that was planted. The share of the planted samples that is flagged; null if none was planted. */
  readonly recall: readonly {
    readonly label: number;
    readonly planted: number;
    readonly recall: number | null;
  }[];
}

/**
 * The threshold at which a share R of the planted flips is found, the (1 − R) quantile of their noise: the largest noise that at
 * least R of them reach. What it finds of other wrong labels is as much only if those are like the planted ones.
 *
 * @param noise (N)
 * @param labels (N)
 * @param planted rows; at least one
 * @param recall R, above 0 and at most 1
 */
export function plantedRecall(
  noise: Float64Array,
  labels: Uint8Array,
  planted: Uint32Array,
  recall: number,
): PlantedRecall {
  const ascending = Float64Array.from(planted, (row) => noise[row] as number).sort();
  // Rounded first, so that 0.8 of 5 is 4 and not 4.000000000000001.
  const needed = Math.max(1, Math.ceil(Number((recall * ascending.length).toPrecision(12))));
  const threshold = ascending[ascending.length - needed] as number;
  const isFlagged = (row: number): boolean => (noise[row] as number) >= threshold;
  return {
    planted: planted.length,
    threshold,
    flagged: noise.reduce((count, each) => count + (each >= threshold ? 1 : 0), 0),
    recall: [0, 1].map((label) => {
      const ofLabel = planted.filter((row) => labels[row] === label);
      const found = ofLabel.filter(isFlagged).length;
      return { label, planted: ofLabel.length, recall: ofLabel.length === 0 ? null : found / ofLabel.length };
    }),
  };
}

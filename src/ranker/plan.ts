/**
 * Groups rows into batches of similar length: sorted by length, each batch filled until its padded size (rows × longest row)
 * would pass `tokensMax`. A single row longer than the budget makes a batch of its own. Returns indices into `lengths`;
 * every index occurs once.
 */
export function planBatches(lengths: ArrayLike<number>, tokensMax: number): number[][] {
  const order = Array.from({ length: lengths.length }, (_, i) => i).sort(
    (i, j) => (lengths[i] as number) - (lengths[j] as number) || i - j,
  );
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    // Sorted ascending: this row is the longest of the batch it joins.
    if (batch.length > 0 && (batch.length + 1) * (lengths[index] as number) > tokensMax) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/**
 * For each of n rows, the best of those that were offered: at most `width` of them, the most similar first. 8 · width bytes a
 * row.
 */
export interface NearestLists {
  readonly width: number;
  /** (n, width) What was offered; only the first `counts[row]` entries of a row. */
  readonly ids: Uint32Array;
  readonly similarities: Float32Array; // (n, width)
  readonly counts: Uint32Array; // (n)
}

export function emptyLists(rows: number, width: number): NearestLists {
  return {
    width,
    ids: new Uint32Array(rows * width),
    similarities: new Float32Array(rows * width),
    counts: new Uint32Array(rows),
  };
}

/** The least similarity that enters the row. −1.1, which is below every cosine, while the row has room. */
export function entryOf({ width, similarities, counts }: NearestLists, row: number): number {
  return counts[row] === width ? (similarities[(row + 1) * width - 1] as number) : -1.1;
}

/** Enters `id` if its similarity is above `entryOf(row)`. Of equal ones, the earlier offer stays first. */
export function offer(lists: NearestLists, row: number, id: number, similarity: number): void {
  const { width, ids, similarities, counts } = lists;
  if (!(similarity > entryOf(lists, row))) return;
  const from = row * width;
  const count = counts[row] as number;
  let place = from + Math.min(count, width - 1);
  while (place > from && (similarities[place - 1] as number) < similarity) {
    similarities[place] = similarities[place - 1] as number;
    ids[place] = ids[place - 1] as number;
    place -= 1;
  }
  similarities[place] = similarity;
  ids[place] = id;
  if (count < width) counts[row] = count + 1;
}

import { type DatasetEntry, INCARNATION_BYTES } from "./dataset-entry.js";

/** The column of the bits of deleted numbers. Columns of weights are numbered from 1. */
export const DELETED_COLUMN = 0;
/** Numbers whose bits one stored value holds: 4 KiB. */
export const DELETED_ENTRIES = 32_768;

/** Key of a chunk of a column: incarnation, column and chunk, so that the chunks of a column follow each other. */
export function columnKey(
  { incarnation }: Pick<DatasetEntry, "incarnation">,
  column: number,
  chunk: number,
): Buffer {
  const key = Buffer.allocUnsafe(INCARNATION_BYTES + 8);
  incarnation.copy(key);
  key.writeUInt32BE(column, INCARNATION_BYTES);
  key.writeUInt32BE(chunk, INCARNATION_BYTES + 4);
  return key;
}

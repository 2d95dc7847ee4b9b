import { giveTurn } from "../observe/turns.js";
import type { Shape } from "./codec/shape.js";
import type { KeptSnapshot } from "./codec/snapshot.js";
import { type Columns, emptyColumns, NO_NUMBER, type NumberedSample } from "./codec/stored.js";
import type { LookedUp, StoredSample } from "./dataset-records.js";
import type { LoadChunks, RowRange, WeightColumns, WeightRows } from "./weight-columns.js";

/** Ids that a store reads at once. Between two chunks other work gets a turn. */
const CHUNK = 1000;

/** The state of a dataset in which samples were read. It is needed to decode them. */
export interface View {
  /** Name of one life of the dataset. */
  readonly incarnation: string;
  /** The shapes of this state only. The array never grows. */
  readonly shapes: readonly Shape[];
  /** The snapshot whose weights are read. */
  readonly snapshot: KeptSnapshot | null;
}

/** The same, with a way to the weights of the snapshot. */
export interface SampleView extends View {
  readonly loadChunks: LoadChunks;
}

/** A chunk of samples as they were read, and the state that they belong to. */
export interface ReadChunk extends SampleView {
  /** Whether the dataset hashes its ids. */
  readonly hashedIds: boolean;
  /** Decodes the samples into the rows from `start` on. It has to be called before the event loop turns. */
  decodeInto(columns: Columns, start: number): void;
}

/**
 * Looks ids up chunk by chunk. If the dataset changes in between, so that weights or shapes of two chunks do not belong together,
 * begins again.
 *
 * @param readChunk reads ids of the dataset; null if the dataset is unknown
 */
export async function lookUpInChunks(
  ids: readonly string[],
  weightColumns: WeightColumns,
  readChunk: (ids: readonly string[]) => Promise<ReadChunk | null>,
): Promise<LookedUp | null> {
  for (;;) {
    const found = await lookUpOnce(ids, weightColumns, readChunk);
    if (found !== "changed") return found;
  }
}

async function lookUpOnce(
  ids: readonly string[],
  weightColumns: WeightColumns,
  readChunk: (ids: readonly string[]) => Promise<ReadChunk | null>,
): Promise<LookedUp | null | "changed"> {
  const first = await readChunk(ids.slice(0, CHUNK));
  if (first === null) return null;
  const columns = emptyColumns(ids.length, first.shapes, first.snapshot);
  for (let start = 0, chunk: ReadChunk | null = first; ; ) {
    chunk.decodeInto(columns, start);
    const end = Math.min(start + CHUNK, ids.length);
    if (!(await fillWeights(weightColumns, chunk, columns, { from: start, to: end }))) return "changed";
    start = end;
    if (start >= ids.length) return { ...columns, hashedIds: first.hashedIds };
    await giveTurn();
    chunk = await readChunk(ids.slice(start, start + CHUNK));
    if (chunk === null || !isSameView(chunk, first)) return "changed";
  }
}

/** Fills the weights of rows whose numbers are known. Answers false if the snapshot was dropped in the meantime. */
export async function fillWeights(
  weightColumns: WeightColumns,
  { incarnation, snapshot, loadChunks }: Omit<SampleView, "shapes">,
  rows: WeightRows,
  range: RowRange,
): Promise<boolean> {
  if (snapshot?.column === undefined) return true;
  const { column, weightScale = 1 } = snapshot;
  return weightColumns.fill({ incarnation, column, weightScale }, rows, range, loadChunks);
}

/** Whether weights and shapes that were read in one view also belong to the other. */
function isSameView(a: View, b: View): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.shapes.length === b.shapes.length &&
    a.snapshot?.version === b.snapshot?.version
  );
}

/** Decoded samples with their weights of the snapshot. Answers "changed" if the snapshot was dropped in the meantime. */
export async function withWeights(
  found: readonly (NumberedSample | null)[],
  weightColumns: WeightColumns,
  view: Omit<SampleView, "shapes">,
): Promise<(StoredSample | null)[] | "changed"> {
  const rows = {
    numbers: Uint32Array.from(found, (each) => each?.number ?? NO_NUMBER),
    weights: Float64Array.from(found, (each) => each?.weight ?? Number.NaN),
  };
  if (!(await fillWeights(weightColumns, view, rows, { from: 0, to: found.length }))) return "changed";
  return found.map((each, index) => {
    if (each === null) return null;
    const weight = rows.weights[index] as number;
    return { record: each.record, weight: Number.isNaN(weight) ? null : weight };
  });
}

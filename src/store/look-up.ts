import { setImmediate as nextTurn } from "node:timers/promises";
import type { Shape } from "./codec/shape.js";
import { type Columns, emptyColumns, type KeptSnapshot } from "./codec/stored.js";
import type { LookedUp } from "./port.js";

/** Ids that a store reads at once. Between two chunks other work gets a turn. */
const CHUNK = 1000;

/** The state of a dataset in which samples were read. It is needed to decode them. */
export interface View {
  /** Name of one life of the dataset. */
  readonly incarnation: string;
  /** The shapes of this state only. The array never grows. */
  readonly shapes: readonly Shape[];
  readonly snapshot: KeptSnapshot | null;
}

/** A chunk of samples as they were read, and the state that they belong to. */
export interface ReadChunk extends View {
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
  readChunk: (ids: readonly string[]) => Promise<ReadChunk | null>,
): Promise<LookedUp | null> {
  for (;;) {
    const found = await lookUpOnce(ids, readChunk);
    if (found !== "changed") return found;
  }
}

async function lookUpOnce(
  ids: readonly string[],
  readChunk: (ids: readonly string[]) => Promise<ReadChunk | null>,
): Promise<LookedUp | null | "changed"> {
  const first = await readChunk(ids.slice(0, CHUNK));
  if (first === null) return null;
  const columns = emptyColumns(ids.length, first.shapes, first.snapshot);
  first.decodeInto(columns, 0);
  for (let start = CHUNK; start < ids.length; start += CHUNK) {
    await nextTurn();
    const chunk = await readChunk(ids.slice(start, start + CHUNK));
    if (chunk === null || !isSameView(chunk, first)) return "changed";
    chunk.decodeInto(columns, start);
  }
  return columns;
}

/** Whether weights and shapes that were read in one view also belong to the other. */
function isSameView(a: View, b: View): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.shapes.length === b.shapes.length &&
    a.snapshot?.version === b.snapshot?.version
  );
}

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Shape } from "./codec/shape.js";
import { type Columns, emptyColumns, type KeptSnapshot } from "./codec/stored.js";
import type { LookedUp } from "./port.js";

/** Ids that a store reads at once; between two chunks others have their turn. */
const CHUNK = 1000;

/** The state of a dataset under which samples were read: what it takes to decode them. */
export interface View {
  /** Name of one life of the dataset. */
  readonly incarnation: string;
  /** Those of this state alone: the array never grows. */
  readonly shapes: readonly Shape[];
  readonly snapshot: KeptSnapshot | null;
}

/** Some samples as they were read, and the state that they belong to. */
export interface ReadChunk extends View {
  /** Decodes the samples into the rows from `start` on. Called before the event loop turns. */
  decodeInto(columns: Columns, start: number): void;
}

/**
 * Looks ids up chunk by chunk, and begins again where the dataset changed on the way so that weights or shapes of two chunks
 * would not belong together.
 *
 * @param readChunk reads ids of the dataset; null where it is unknown
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

/** Whether weights and shapes read under one view belong to the other too. */
function isSameView(a: View, b: View): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.shapes.length === b.shapes.length &&
    a.snapshot?.version === b.snapshot?.version
  );
}

import { type AssayError, faultsError } from "../../errors.js";
import { orderOf } from "../../importance/selection/order.js";
import { SELECTION_RULES } from "../../importance/selection/rules.js";
import type { Embeddings } from "../../importance/selection/types.js";
import type { EmbeddingStore } from "../../store/dataset-port.js";
import type {
  DatasetSummary,
  EmbeddingCount,
  EmbeddingOrigin,
  EmbeddingSettings,
} from "../../store/dataset-records.js";
import type { DatasetIndex } from "../looks/dataset-index.js";
import { fault, needsEmbeddings, type PostedSelection } from "../requests/selection.js";

/** The samples that have an embedding, in the order of the rows that were given, and their embeddings. */
export interface EmbeddedRows {
  readonly rows: Uint32Array; // (n)
  /** (n) In the order of `rows`. A byte for each value with the type `int8`, else four. */
  readonly embeddings: Embeddings;
  readonly origin: EmbeddingOrigin;
}

type Summary = Pick<DatasetSummary, "dataset" | "samples" | "embeddings">;

/** Throws `unsuitable_selection` if the selection reads embeddings and the dataset has none. */
export function checkEmbeddings(summary: Summary, selection: PostedSelection): void {
  if (needsEmbeddings(selection)) newestOf(summary, selection);
}

/** The embeddings that the selection reads. Throws `unsuitable_selection` if there are none. */
function newestOf(
  { dataset, samples, embeddings }: Summary,
  selection: PostedSelection,
): EmbeddingCount & Pick<EmbeddingSettings, "type"> {
  if (embeddings === null)
    throw lacking(
      selection,
      `the dataset keeps none: send {"embedding": {"type": "int8"}} to PUT /v1/datasets/${dataset}, and score the samples again`,
    );
  const newest = embeddings.origins.at(-1);
  if (newest === undefined || newest.samples === 0)
    throw lacking(
      selection,
      `none of the ${samples} samples has one: score them again with a model that gives embeddings`,
    );
  return { ...newest, type: embeddings.type };
}

/**
 * Reads the embeddings of the samples whose rows are given. Those that are written meanwhile may be left out.
 *
 * Throws `unsuitable_selection` if no sample has one.
 *
 * @param rows (N) of the index, in the order of the selection
 * @param onRead called with the share that was read, 0 to 1; may throw to end the reading
 */
export async function readEmbeddings(
  store: EmbeddingStore,
  summary: Summary,
  selection: PostedSelection,
  { index, rows }: { readonly index: DatasetIndex; readonly rows: Uint32Array },
  onRead: (share: number) => void,
): Promise<EmbeddedRows> {
  const { type, samples, model, after, size } = newestOf(summary, selection);
  const origin = { model, after, size };
  const room = Math.min(samples, rows.length);
  const values = type === "int8" ? new Int8Array(room * size) : new Float32Array(room * size);
  const scales = new Float32Array(room);
  const places = new Uint32Array(room);
  const placeOf = placesByNumber(index, rows);
  let count = 0;
  for await (const chunk of store.scanEmbeddings(summary.dataset)) {
    // The dataset, its model or the type of its embeddings has become another one.
    if (chunk.incarnation !== index.incarnation || !isSame(chunk.origin, origin)) break;
    if (chunk.values.constructor !== values.constructor) break;
    for (const [row, number] of chunk.numbers.entries()) {
      const place = placeOf[number] ?? -1;
      if (place < 0 || count === room) continue;
      values.set(chunk.values.subarray(row * size, (row + 1) * size), count * size);
      scales[count] = chunk.scales[row] as number;
      places[count] = place;
      count++;
    }
    onRead(count / room);
  }
  if (count === 0) throw lacking(selection, "the dataset has changed: ask again");
  const found = places.subarray(0, count);
  const read = { values: values.subarray(0, count * size), scales: scales.subarray(0, count), width: size };
  sortRows(found, read);
  const embeddings = type === "int8" ? read : { values: read.values, width: size };
  return { rows: found.map((place) => rows[place] as number), embeddings, origin };
}

function isSame(a: EmbeddingOrigin, b: EmbeddingOrigin): boolean {
  return a.model === b.model && a.after === b.after && a.size === b.size;
}

/** @param reason the rest of a sentence whose subject is the method, or the option that reads embeddings */
function lacking(selection: PostedSelection, reason: string): AssayError {
  const { method } = selection;
  const isMethod = SELECTION_RULES[method].embeddings === "always";
  return faultsError("unsuitable_selection", [
    isMethod
      ? fault("method", `is ${method}, which reads embeddings, and ${reason}`)
      : fault("diverse", `reads embeddings, and ${reason}`),
  ]);
}

/** For the number of each sample its place in `rows`; −1 for numbers that no sample has. */
function placesByNumber({ numbers }: DatasetIndex, rows: Uint32Array): Int32Array {
  const last = numbers.reduce((most, number) => Math.max(most, number), 0);
  const places = new Int32Array(last + 1).fill(-1);
  for (const [place, row] of rows.entries()) places[numbers[row] as number] = place;
  return places;
}

/** Sorts the rows by their places, in place: each row moves once, along the cycles of the permutation. */
function sortRows(
  places: Uint32Array,
  { values, scales, width }: { values: Int8Array | Float32Array; scales: Float32Array; width: number },
): void {
  const order = orderOf(Float64Array.from(places));
  const moved = new Uint8Array(places.length);
  const copy = (from: number, to: number): void => {
    values.copyWithin(to * width, from * width, (from + 1) * width);
    scales[to] = scales[from] as number;
  };
  for (let start = 0; start < order.length; start++) {
    if (moved[start] === 1) continue;
    const row = values.slice(start * width, (start + 1) * width);
    const scale = scales[start] as number;
    let to = start;
    for (let from = order[to] as number; from !== start; from = order[to] as number) {
      copy(from, to);
      moved[to] = 1;
      to = from;
    }
    values.set(row, to * width);
    scales[to] = scale;
    moved[to] = 1;
  }
  places.sort();
}

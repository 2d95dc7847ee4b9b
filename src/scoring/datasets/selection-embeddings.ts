import { type Fault, faultsError, throwFaults } from "../../errors.js";
import { orderOf } from "../../importance/selection/order.js";
import { SELECTION_RULES } from "../../importance/selection/rules.js";
import type { Embeddings } from "../../importance/selection/types.js";
import type { EmbeddingStore } from "../../store/dataset-port.js";
import type { DatasetSummary, EmbeddingCount, EmbeddingOrigin } from "../../store/dataset-records.js";
import type { DatasetIndex } from "../looks/dataset-index.js";
import { fault, needsEmbeddings, type PostedSelection } from "../requests/selection.js";

/** The samples that have an embedding, in the order of the rows that were given, and their embeddings. */
export interface EmbeddedRows {
  readonly rows: Uint32Array; // (n)
  /** (n) In the order of `rows`. A byte for each value with the type `int8`, else four. */
  readonly embeddings: Embeddings;
  readonly origin: EmbeddingOrigin;
}

/** Throws `unsuitable_selection` if the selection reads embeddings and the dataset has none. */
export function checkEmbeddings(
  { dataset, samples, embeddings }: Pick<DatasetSummary, "dataset" | "samples" | "embeddings">,
  selection: PostedSelection,
): void {
  if (!needsEmbeddings(selection)) return;
  if (embeddings === null)
    throwFaults("unsuitable_selection", [
      embeddingFault(
        selection,
        `the dataset keeps none: send {"embedding": {"type": "int8"}} to PUT /v1/datasets/${dataset}, and score the samples again`,
      ),
    ]);
  else if (newestOf(embeddings.origins).samples === 0)
    throwFaults("unsuitable_selection", [
      embeddingFault(
        selection,
        `none of the ${samples} samples has one: score them again with a model that gives embeddings`,
      ),
    ]);
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
  summary: Pick<DatasetSummary, "dataset" | "samples" | "embeddings">,
  selection: PostedSelection,
  { index, rows }: { readonly index: DatasetIndex; readonly rows: Uint32Array },
  onRead: (share: number) => void,
): Promise<EmbeddedRows> {
  checkEmbeddings(summary, selection);
  const { type, origins } = summary.embeddings as NonNullable<DatasetSummary["embeddings"]>;
  const origin = newestOf(origins);
  const { size } = origin;
  const room = Math.min(origin.samples, rows.length);
  const values = type === "int8" ? new Int8Array(room * size) : new Float32Array(room * size);
  const scales = new Float32Array(room);
  const places = new Uint32Array(room);
  const placeOf = placesByNumber(index, rows);
  let count = 0;
  for await (const chunk of store.scanEmbeddings(summary.dataset)) {
    // The dataset or its model has become another one, or its values have another type.
    if (chunk.incarnation !== index.incarnation || chunk.origin.size !== size) break;
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
  if (count === 0)
    throw faultsError("unsuitable_selection", [
      embeddingFault(selection, "the dataset has changed: ask again"),
    ]);
  const embeddings = {
    values: values.subarray(0, count * size),
    scales: scales.subarray(0, count),
    width: size,
  };
  const found = places.subarray(0, count);
  sortRows(found, embeddings);
  return { rows: found.map((place) => rows[place] as number), embeddings, origin };
}

function newestOf(origins: readonly EmbeddingCount[]): EmbeddingCount {
  return origins.at(-1) ?? { model: "", after: "", size: 0, samples: 0, bytes: 0 };
}

function embeddingFault(selection: PostedSelection, rest: string): Fault {
  const { method } = selection;
  return SELECTION_RULES[method].embeddings === "always"
    ? fault("method", `is ${method}, which reads embeddings, and ${rest}`)
    : fault("diverse", `reads embeddings, and ${rest}`);
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

import { SIGNALS } from "../../importance/types.js";
import { giveTurn } from "../../observe/turns.js";
import type {
  DatasetSummary,
  SampleRecord,
  SampleShape,
  ScannedSamples,
  SnapshotInfo,
  StoredLabel,
} from "../../store/dataset-records.js";
import type { Store } from "../../store/port.js";
import { EXTRAS_PREFIX } from "./keep.js";
import { datasetNotFound, readDataset, requireSameDataset } from "./remembered.js";

/** The kind of a column's values. A `time` is milliseconds since the epoch. */
export type ColumnKind = "text" | "label" | "time" | "float32" | "float64";

export interface ExportColumn {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** Values of one column for N samples. NaN and null: the sample lacks it. */
export type ColumnValues =
  | readonly (string | null)[]
  | readonly StoredLabel[]
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** N samples of a dataset, in the columns of its export. */
export interface ExportedChunk {
  readonly count: number; // N
  /** In the order of the export's columns. */
  readonly values: readonly ColumnValues[];
}

/** The export of a dataset that has begun. */
export interface DatasetExport {
  /** The snapshot of the column `weight`; null if the dataset has none. */
  readonly snapshot: SnapshotInfo | null;
  /** Whether the column `id` has keyed hashes, because the dataset keeps no others. */
  readonly hashedIds: boolean;
  readonly columns: readonly ExportColumn[];
  /** Every sample once, in any order. May be read once. */
  readonly chunks: AsyncIterable<ExportedChunk>;
}

/**
 * Begins to export a dataset: what it remembers of each sample, and the weights of one snapshot. The columns are known at once.
 * They are those of the samples that the dataset has now: a signal or an extra that arrives later is left out.
 *
 * Throws `dataset_not_found` and `snapshot_not_found`. The chunks throw them if the dataset is deleted or the snapshot is
 * displaced before the last one.
 *
 * @param version of the snapshot; by default the newest
 */
export async function exportDataset(
  store: Store,
  dataset: string,
  version: number | undefined,
): Promise<DatasetExport> {
  // Many exports may begin together, and each reads the shapes and counts of its dataset.
  await giveTurn();
  const summary = await readDataset(store, dataset);
  await giveTurn();
  const found = await store.lookUp(dataset, [], version);
  if (found === null) throw datasetNotFound(dataset);
  const { snapshot, shapes, hashedIds } = found;
  const signals = signalColumns(shapes);
  return {
    snapshot,
    hashedIds,
    columns: [
      ...RECORD_COLUMNS,
      ...signals.map((name): ExportColumn => ({ name, kind: "float32" })),
      { name: "weight", kind: "float64" },
    ],
    chunks: chunksOf(store, summary, { snapshot, signals }),
  };
}

/** What each row has before its signals. `loss_name` is the loss, because `loss` is the signal. */
const RECORD_COLUMNS = [
  { name: "id", kind: "text" },
  { name: "label", kind: "label" },
  { name: "source", kind: "text" },
  { name: "group", kind: "text" },
  { name: "model", kind: "text" },
  { name: "loss_name", kind: "text" },
  { name: "precision", kind: "text" },
  { name: "observed", kind: "text" },
  { name: "scored_at", kind: "time" },
] as const satisfies readonly ExportColumn[];

/** The signals in their usual order, then the extras by name. */
function signalColumns(shapes: readonly SampleShape[]): string[] {
  const names = new Set(shapes.flatMap(({ signals }) => signals));
  const extras = [...names].filter((name) => name.startsWith(EXTRAS_PREFIX)).sort();
  return [...SIGNALS.filter((name) => names.has(name)), ...extras];
}

async function* chunksOf(
  store: Store,
  { dataset, createdAtMs }: DatasetSummary,
  { snapshot, signals }: { readonly snapshot: SnapshotInfo | null; readonly signals: readonly string[] },
): AsyncGenerator<ExportedChunk> {
  for await (const chunk of store.scanSamples(dataset, snapshot?.version)) {
    await giveTurn();
    const values = [
      ...recordValues(chunk),
      ...signals.map((name) => signalValues(chunk, name)),
      Float64Array.from(chunk.weights),
    ];
    yield { count: chunk.count, values };
  }
  await requireSameDataset(store, { dataset, createdAtMs });
}

/** In the order of `RECORD_COLUMNS`. */
function recordValues(chunk: ScannedSamples): ColumnValues[] {
  const rows = Array.from({ length: chunk.count }, (_, row) => row);
  const records = rows.map((row) => chunk.record(row));
  const texts = (read: (record: SampleRecord) => string | null): (string | null)[] => records.map(read);
  return [
    rows.map((row) => chunk.id(row)),
    records.map(({ label }) => label),
    texts(({ source }) => source),
    texts(({ group }) => group),
    texts(({ model }) => model),
    texts(({ loss }) => loss),
    texts(({ precision }) => precision),
    texts(({ observed }) => observed),
    Float64Array.from(records, ({ scoredAtMs }) => scoredAtMs),
  ];
}

function signalValues(chunk: ScannedSamples, name: string): Float32Array<ArrayBuffer> {
  const places = chunk.shapes.map(({ signals }) => signals.indexOf(name));
  const values = new Float32Array(chunk.count);
  for (let row = 0; row < chunk.count; row++) {
    const place = places[chunk.shapeOf[row] as number] as number;
    values[row] = place < 0 ? Number.NaN : (chunk.signals[row * chunk.signalsMax + place] as number);
  }
  return values;
}

import { ByteWriter, type ColumnSource, ParquetWriter } from "hyparquet-writer";
import type { ColumnKind, ColumnValues, ExportColumn } from "../../scoring/datasets/export.js";
import type { StoredLabel } from "../../store/dataset-records.js";
import { labelColumns, PROBABILITIES_COLUMN } from "./labels.js";
import { provenanceOf, type TableHead, type TableWriter } from "./table.js";

/**
 * Rows of a row group. They are held until it is encoded, which takes one turn of the event loop: some 20 ms. A file
 * with row groups of ten thousand rows would be a little smaller.
 */
const ROWS = 2000;

type SchemaElement = ParquetWriter["schema"][number];

/** A Parquet file with row groups of `ROWS`. A label of K probabilities is in a column of its own. */
export function parquetTable(head: TableHead): TableWriter {
  const { columns } = head;
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [...schemaOf(columns)],
    kvMetadata: [...provenanceOf(head)].map(([key, value]) => ({ key, value })),
    createdBy: "assay",
  });
  let held: ColumnSource[] = emptyGroup(columns);
  let rows = 0;

  function writeGroup(): void {
    // The writer here has no `flush`, so this does not wait for anything.
    void writer.write({ columnData: held, rowGroupSize: ROWS });
    held = emptyGroup(columns);
    rows = 0;
  }
  function take(): Uint8Array {
    const taken = bytes.getBytes().slice();
    bytes.index = 0;
    return taken;
  }

  return {
    begin: take,
    write({ count, values }) {
      let at = 0;
      for (const [index, { kind }] of columns.entries())
        for (const cells of cellsOf(kind, values[index] as ColumnValues)) {
          const data = held[at++]?.data as unknown[];
          for (const cell of cells) data.push(cell);
        }
      rows += count;
      if (rows >= ROWS) writeGroup();
      return take();
    },
    end() {
      if (rows > 0) writeGroup();
      void writer.finish();
      return take();
    },
  };
}

function emptyGroup(columns: readonly ExportColumn[]): ColumnSource[] {
  return columns
    .flatMap(({ name, kind }) => (kind === "label" ? [name, PROBABILITIES_COLUMN] : [name]))
    .map((name) => ({ name, data: [] }));
}

const TYPES = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  label: { type: "DOUBLE" },
  time: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
  float32: { type: "FLOAT" },
  float64: { type: "DOUBLE" },
} as const satisfies Record<ColumnKind, Partial<SchemaElement>>;

function* schemaOf(columns: readonly ExportColumn[]): Generator<SchemaElement> {
  const lists = columns.filter(({ kind }) => kind === "label").length;
  yield { name: "root", num_children: columns.length + lists };
  for (const { name, kind } of columns) {
    yield { name, ...TYPES[kind], repetition_type: name === "id" ? "REQUIRED" : "OPTIONAL" };
    if (kind !== "label") continue;
    yield {
      name: PROBABILITIES_COLUMN,
      repetition_type: "OPTIONAL",
      converted_type: "LIST",
      num_children: 1,
    };
    yield { name: "list", repetition_type: "REPEATED", num_children: 1 };
    yield { name: "element", type: "DOUBLE", repetition_type: "REQUIRED" };
  }
}

/** The cells of one column, or of the two of a label. */
function cellsOf(kind: ColumnKind, values: ColumnValues): (readonly unknown[])[] {
  switch (kind) {
    case "text":
      return [values as readonly (string | null)[]];
    case "label": {
      const { numbers, probabilities } = labelColumns(values as readonly StoredLabel[]);
      return [numberCells(numbers), probabilities];
    }
    case "time":
      return [Array.from(values as Float64Array, BigInt)];
    case "float32":
    case "float64":
      return [numberCells(values as Float64Array)];
  }
}

function numberCells(values: Float32Array | Float64Array): (number | null)[] {
  return Array.from(values, (value) => (Number.isNaN(value) ? null : value));
}

import { type Data, type DataType, Field, Schema } from "apache-arrow";
import type { ColumnValues, ExportColumn } from "../../scoring/datasets/export.js";
import type { StoredLabel } from "../../store/dataset-records.js";
import {
  FLOAT32,
  FLOAT64,
  FLOAT64_LIST,
  float32Data,
  float64Data,
  listData,
  TIME,
  textData,
  timeData,
  UTF8,
} from "../arrow/columns.js";
import { openArrowWriter } from "../arrow/writer.js";
import { labelColumns, PROBABILITIES_COLUMN } from "./labels.js";
import { provenanceOf, type TableHead, type TableWriter } from "./table.js";

/** An Arrow IPC stream, a record batch a chunk. A label of K probabilities is in a column of its own. */
export function arrowTable(head: TableHead): TableWriter {
  const { columns } = head;
  const fields = columns.flatMap(fieldsOf);
  const writer = openArrowWriter(new Schema(fields, provenanceOf(head)));
  return {
    begin: () => writer.begin(),
    write: ({ count, values }) =>
      writer.write(
        count,
        columns.flatMap(({ kind }, column) => dataOf(kind, values[column] as ColumnValues)),
      ),
    end: () => writer.end(),
  };
}

function fieldsOf({ name, kind }: ExportColumn): Field[] {
  const field = (type: DataType, named = name): Field => new Field(named, type, name !== "id");
  switch (kind) {
    case "text":
      return [field(UTF8)];
    case "label":
      return [field(FLOAT64), field(FLOAT64_LIST, PROBABILITIES_COLUMN)];
    case "time":
      return [field(TIME)];
    case "float32":
      return [field(FLOAT32)];
    case "float64":
      return [field(FLOAT64)];
  }
}

function dataOf(kind: ExportColumn["kind"], values: ColumnValues): Data[] {
  switch (kind) {
    case "text":
      return [textData(values as readonly (string | null)[])];
    case "label": {
      const { numbers, probabilities } = labelColumns(values as readonly StoredLabel[]);
      return [float64Data(numbers), listData(probabilities)];
    }
    case "time":
      return [timeData(values as Float64Array)];
    case "float32":
      return [float32Data(values as Float32Array)];
    case "float64":
      return [float64Data(values as Float64Array)];
  }
}

import type { ColumnValues, ExportColumn } from "../../scoring/datasets/export.js";
import type { StoredLabel } from "../../store/dataset-records.js";
import { csvLine } from "../../text/cells.js";
import { renderTime } from "../render.js";
import type { TableHead, TableWriter } from "./table.js";

/** NDJSON: an object a line. Each has all columns, with null where the sample lacks one. */
export function ndjsonTable({ columns }: TableHead): TableWriter {
  const names = columns.map(({ name }, index) => `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  return {
    begin: () => "",
    write({ count, values }) {
      let text = "";
      for (let row = 0; row < count; row++) {
        for (let column = 0; column < columns.length; column++)
          text += (names[column] as string) + JSON.stringify(valueAt(columns, values, column, row));
        text += "}\n";
      }
      return text;
    },
    end: () => "",
  };
}

/** CSV (RFC 4180) with a header. A cell is empty where the sample lacks the column. */
export function csvTable({ columns }: TableHead): TableWriter {
  return {
    begin: () =>
      csvLine(
        columns.map(({ name }) => name),
        "\r\n",
      ),
    write({ count, values }) {
      let text = "";
      for (let row = 0; row < count; row++)
        text += csvLine(
          columns.map((_, column) => valueAt(columns, values, column, row)),
          "\r\n",
        );
      return text;
    },
    end: () => "",
  };
}

function valueAt(
  columns: readonly ExportColumn[],
  values: readonly ColumnValues[],
  column: number,
  row: number,
): StoredLabel | string {
  const value = (values[column] as ColumnValues)[row] as StoredLabel | string;
  if (columns[column]?.kind === "time") return renderTime(value as number);
  return Number.isNaN(value) ? null : value;
}

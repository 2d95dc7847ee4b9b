import { ARROW_MEDIA_TYPE } from "../arrow/writer.js";
import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";
import { arrowTable } from "./arrow-table.js";
import { parquetTable } from "./parquet-table.js";
import type { TableHead, TableWriter } from "./table.js";
import { csvTable, ndjsonTable } from "./text-tables.js";

interface ExportFormat {
  readonly mediaType: string;
  open(head: TableHead): TableWriter;
}

export const EXPORT_FORMATS = ["ndjson", "csv", "arrow", "parquet"] as const;
export type ExportFormatName = (typeof EXPORT_FORMATS)[number];

export const FORMATS: Readonly<Record<ExportFormatName, ExportFormat>> = {
  ndjson: { mediaType: NDJSON_MEDIA_TYPE, open: ndjsonTable },
  csv: { mediaType: "text/csv; charset=utf-8; header=present", open: csvTable },
  arrow: { mediaType: ARROW_MEDIA_TYPE, open: arrowTable },
  parquet: { mediaType: "application/vnd.apache.parquet", open: parquetTable },
};

/**
 * The format that an Accept header (RFC 9110) prefers; NDJSON if it prefers none of them, or if there is no header. Equal
 * preferences are decided by the order of `EXPORT_FORMATS`.
 */
export function acceptedFormat(accept: string | undefined): ExportFormatName {
  const ranges = (accept ?? "").split(",").map(rangeOf);
  let [best, bestQuality]: [ExportFormatName, number] = ["ndjson", 0];
  for (const name of EXPORT_FORMATS) {
    const [type] = FORMATS[name].mediaType.split(";");
    const quality = ranges.find((range) => range.type === type)?.quality ?? 0;
    if (quality > bestQuality) [best, bestQuality] = [name, quality];
  }
  return best;
}

function rangeOf(text: string): { type: string; quality: number } {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith("q="));
  const quality = given === undefined ? 1 : Number(given.slice(2));
  return { type, quality: Number.isNaN(quality) ? 0 : quality };
}

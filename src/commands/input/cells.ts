import { Readable } from "node:stream";
import { parse } from "csv-parse";
import { AssayError } from "../../errors.js";
import type { FieldMap, Target } from "./field-map.js";
import { readLines } from "./lines.js";
import { cellValue, createRecord, RecordFault } from "./record.js";

/** A record of a file, and the line in which it begins; lines count from 1. */
export interface FiledRecord {
  readonly value: unknown;
  readonly line: number;
}

interface ParsedRow {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

interface Column {
  readonly name: string;
  readonly targets: readonly Target[];
}

export interface CellsOptions {
  /** Name of the file in messages. */
  readonly name: string;
  readonly delimiter: "," | "\t";
  readonly fields: FieldMap;
  readonly recordBytesMax: number;
}

/**
 * Records of a CSV or TSV file with a header. Cells may be quoted in both. Many programs write TSV without any quoting, so a
 * quote inside a TSV cell is an ordinary character. Throws `input_invalid` with line and column.
 */
export async function* readCells(
  chunks: AsyncIterable<Buffer>,
  { name, delimiter, fields, recordBytesMax }: CellsOptions,
): AsyncGenerator<FiledRecord> {
  let columns: readonly Column[] | null = null;
  for await (const { record, info } of parsedRows(chunks, { name, delimiter, recordBytesMax })) {
    const line = info.lines - lineEndsIn(record);
    const at = `${name}, line ${line}`;
    if (columns === null) {
      columns = columnsOf(record, fields, at);
      continue;
    }
    if (record.length !== columns.length)
      throw invalid(
        `${at}: the row has ${record.length} cells, but the header has ${columns.length} columns`,
      );
    yield { value: sampleOf(record, columns, at), line };
  }
}

async function* parsedRows(
  chunks: AsyncIterable<Buffer>,
  { name, delimiter, recordBytesMax }: Omit<CellsOptions, "fields">,
): AsyncGenerator<ParsedRow> {
  const parser = parse({
    delimiter,
    relax_quotes: delimiter === "\t",
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: recordBytesMax,
    info: true,
  });
  const lines = Readable.from(textOf(readLines(chunks, name, recordBytesMax)));
  lines.on("error", (error) => parser.destroy(error));
  try {
    yield* lines.pipe(parser) as AsyncIterable<ParsedRow>;
  } catch (cause) {
    if (cause instanceof AssayError || !isCsvError(cause)) throw cause;
    throw new AssayError("input_invalid", { detail: `${name}: ${cause.message}`, cause });
  } finally {
    lines.destroy();
  }
}

async function* textOf(lines: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  for await (const { text } of lines) yield text;
}

function isCsvError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("CSV_");
}

/** The number of line ends in a record's quoted cells. The parser gives only the line in which a record ends. */
function lineEndsIn(record: readonly string[]): number {
  return record.reduce((sum, cell) => sum + (cell.match(/\r\n|\n|\r/g)?.length ?? 0), 0);
}

function columnsOf(header: readonly string[], fields: FieldMap, at: string): Column[] {
  const named = new Set<string>();
  const columns = header.map((name, index) => {
    const place = `${at}, column ${index + 1}`;
    if (named.size === named.add(name).size)
      throw invalid(`${place}: the header names the column ${JSON.stringify(name)} twice`);
    const targets = fields.targetsOf(name);
    if ("fault" in targets) throw invalid(`${place}: the header's ${targets.fault}`);
    return { name, targets };
  });
  const missing = fields.sources.find((source) => !header.includes(source));
  if (missing === undefined) return columns;
  const found = header.map((name) => JSON.stringify(name)).join(", ");
  const hint =
    header.length === 1 && found.includes(";") ? ". Semicolons do not separate cells: use commas" : "";
  throw invalid(
    `${at}: the header has no column ${JSON.stringify(missing)}, which --map names; it has ${found}${hint}`,
  );
}

function sampleOf(record: readonly string[], columns: readonly Column[], at: string): unknown {
  const built = createRecord();
  for (const [index, { name, targets }] of columns.entries()) {
    const cell = record[index] as string;
    try {
      for (const target of targets) {
        const value = cellValue(target, cell);
        if (value !== undefined) built.put(target, value);
      }
    } catch (error) {
      if (!(error instanceof RecordFault)) throw error;
      throw invalid(`${at}, column ${JSON.stringify(name)}: ${error.message}`);
    }
  }
  return built.value;
}

function invalid(detail: string): AssayError {
  return new AssayError("input_invalid", { detail });
}

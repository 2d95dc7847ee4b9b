import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "csv-parse";
import { AssayError } from "../errors.js";
import type { SampleLimits } from "../scoring/requests/limits.js";
import type { LocatedSample } from "../scoring/requests/sample-batches.js";
import { sampleSchema } from "../scoring/requests/sample-schema.js";

/** A sample of a file; its path names the file and the line, from 1. */
export type FiledSample = LocatedSample;

export interface SampleFileOptions {
  readonly limits: SampleLimits;
  /** Told how many bytes of the file have been read so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Samples of a JSON-lines or CSV file (by its ending; CSV has a header line), one after another. Throws `input_invalid`
 * naming the line and the fault.
 */
export async function* readSampleFile(path: string, options: SampleFileOptions): AsyncIterable<FiledSample> {
  const schema = sampleSchema(options.limits);
  for await (const { value, line } of readRecords(path, options.onBytes)) {
    const at = `${path}, line ${line}`;
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const faults = parsed.error.issues.map(({ path, message }) =>
        [path.join("."), message].join(" ").trim(),
      );
      throw new AssayError("input_invalid", { detail: `${at}: ${faults.join("; ")}` });
    }
    yield { sample: parsed.data, path: at };
  }
}

interface FiledRecord {
  readonly value: unknown;
  readonly line: number;
}

function readRecords(path: string, onBytes: (bytes: number) => void): AsyncIterable<FiledRecord> {
  const ending = extname(path).toLowerCase();
  if (ending === ".csv") return readCsv(path, onBytes);
  if (ending === ".jsonl" || ending === ".ndjson") return readJsonLines(path, onBytes);
  throw new AssayError("input_invalid", { detail: `${path} must end in .jsonl, .ndjson or .csv` });
}

async function* readJsonLines(path: string, onBytes: (bytes: number) => void): AsyncIterable<FiledRecord> {
  const stream = createReadStream(path);
  let line = 0;
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    onBytes(stream.bytesRead);
    if (text.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line === 1 ? text.replace(/^\uFEFF/, "") : text);
    } catch (cause) {
      throw new AssayError("input_invalid", {
        detail: `${path}, line ${line}: ${(cause as Error).message}`,
        cause,
      });
    }
    yield { value, line };
  }
}

async function* readCsv(path: string, onBytes: (bytes: number) => void): AsyncIterable<FiledRecord> {
  const stream = createReadStream(path);
  const parser = stream.pipe(parse({ columns: true, bom: true, skip_empty_lines: true, info: true }));
  stream.on("error", (error) => parser.destroy(error));
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
      onBytes(stream.bytesRead);
      yield { value: fromCsv(path, record), line: info.lines };
    }
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError("input_invalid", { detail: `${path}: ${(cause as Error).message}`, cause });
  }
}

interface CsvRecord {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

const COLUMNS = ["id", "query", "document", "text", "label", "group", "reference_loss"];
const NUMBERS = ["label", "reference_loss"];
/** A column `extras.clicks` holds the extra `clicks`. */
const EXTRAS = "extras.";

/** An empty cell is absent, but for texts, which may be empty. */
function fromCsv(path: string, record: CsvRecord["record"]): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  const extras: Record<string, number> = {};
  for (const [name, cell] of Object.entries(record)) {
    if (name.startsWith(EXTRAS)) {
      if (cell !== "") extras[name.slice(EXTRAS.length)] = Number(cell);
      continue;
    }
    if (!COLUMNS.includes(name)) {
      throw new AssayError("input_invalid", {
        detail: `${path}: the header names the column ${JSON.stringify(name)}; it may name ${COLUMNS.join(", ")} and ${EXTRAS}NAME`,
      });
    }
    if (cell === "" && name !== "query" && name !== "document") continue;
    value[name] = NUMBERS.includes(name) ? Number(cell) : cell;
  }
  return Object.keys(extras).length === 0 ? value : { ...value, extras };
}

import { extname } from "node:path";
import { AssayError } from "../../errors.js";
import type { Limits } from "../../scoring/requests/limits.js";
import type { LocatedSample } from "../../scoring/requests/sample-batches.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { checkSchema } from "../../scoring/requests/schema-faults.js";
import { nameOf, peek, readBytes, STANDARD_INPUT } from "./bytes.js";
import { type FiledRecord, readCells } from "./cells.js";
import type { FieldMap } from "./field-map.js";
import { firstByteOf } from "./json-pieces.js";
import { readJsonRecords } from "./json-records.js";

/** A sample of a file. Its place names the file and the line in which it begins, counted from 1. */
export interface FiledSample extends LocatedSample {
  readonly line: number;
}

export const INPUT_FORMATS = ["json", "csv", "tsv"] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

export interface SampleFileOptions {
  readonly limits: Pick<Limits, "idBytesMax" | "textCharsMax" | "bodyBytesMax">;
  readonly fields: FieldMap;
  /** Format of the input; undefined if the ending of the file's name decides. */
  readonly format: InputFormat | undefined;
  readonly signal: AbortSignal;
}

/**
 * Samples of a file or of standard input: JSON lines, a JSON list of objects, or CSV or TSV with a header, gzipped or not. They
 * are read one after another, so memory does not grow with their number. Throws `input_invalid` with the line and the fault.
 */
export async function* readSampleFile(path: string, options: SampleFileOptions): AsyncGenerator<FiledSample> {
  const name = nameOf(path);
  const schema = sampleSchema(options.limits);
  for await (const { value, line } of readRecords(path, name, options)) {
    const at = `${name}, line ${line}`;
    const { faults, value: sample } = checkSchema(schema, value);
    if (faults !== undefined) {
      const said = faults.map(({ path, message }) =>
        `${path.slice(1).replaceAll("/", ".")} ${message}`.trim(),
      );
      throw new AssayError("input_invalid", { detail: `${at}: ${said.join("; ")}` });
    }
    yield { sample, place: at, line };
  }
}

async function* readRecords(
  path: string,
  name: string,
  { limits, fields, format, signal }: SampleFileOptions,
): AsyncGenerator<FiledRecord> {
  const named = format ?? formatOf(path);
  const bytes = readBytes(path, signal);
  try {
    const { head, chunks } = await peek(bytes, (read) => named !== null || firstByteOf(read) !== undefined);
    const options = { name, fields, recordBytesMax: limits.bodyBytesMax };
    const found = named ?? sniffedFormat(head);
    if (found === "json") yield* readJsonRecords(chunks, options);
    else yield* readCells(chunks, { ...options, delimiter: found === "csv" ? "," : "\t" });
  } finally {
    await bytes.return(undefined);
  }
}

const ENDINGS: Readonly<Partial<Record<string, InputFormat>>> = {
  ".jsonl": "json",
  ".ndjson": "json",
  ".json": "json",
  ".csv": "csv",
  ".tsv": "tsv",
  ".tab": "tsv",
};

/** The format that a file's name ends in; null for standard input, which has no name. Throws `input_invalid` for other names. */
function formatOf(path: string): InputFormat | null {
  if (path === STANDARD_INPUT) return null;
  const format = ENDINGS[extname(path.replace(/\.gz$/i, "")).toLowerCase()];
  if (format !== undefined) return format;
  throw new AssayError("input_invalid", {
    detail: `${path} must end in ${Object.keys(ENDINGS).join(", ")}, with or without .gz after it; or name its format with --from`,
  });
}

/** Recognises JSON on standard input by its beginning. Throws `input_invalid` for anything else. */
function sniffedFormat(head: Buffer): InputFormat {
  const first = firstByteOf(head);
  if (first === undefined || first === "{".charCodeAt(0) || first === "[".charCodeAt(0)) return "json";
  throw new AssayError("input_invalid", {
    detail: `${nameOf(STANDARD_INPUT)} does not begin like JSON: name its format with --from (${INPUT_FORMATS.join(", ")})`,
  });
}

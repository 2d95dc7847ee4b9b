import { isUtf8 } from "node:buffer";
import { AssayError, type ErrorCode, type Fault, faultsError } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import { parseStrictJson } from "../../scoring/requests/strict-json.js";
import { splitLines } from "../../text/lines.js";
import { bodyQuotaOf } from "./body-quota.js";
import { bodyStream } from "./body-stream.js";
import { requestOf, type StreamBody } from "./stream-body.js";

export const NDJSON_MEDIA_TYPE = "application/x-ndjson";

export interface Line {
  /** Counts from 1; blank lines count too. */
  readonly number: number;
  readonly value: unknown;
}

/** A line that cannot be read, and why. */
export interface UnreadableLine {
  readonly number: number;
  readonly error: AssayError;
}

/** The lines of a body as `tryLines` gives them. Throws `invalid_json` for the first that cannot be read. */
export async function* readLines(
  body: StreamBody,
  lineBytesMax: number,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  for await (const line of tryLines(body, lineBytesMax, signal)) {
    if ("error" in line) throw line.error;
    yield line;
  }
}

/**
 * The lines of a body as they arrive, without blank ones. The last line needs no line feed. An error of a line is `invalid_json`.
 * Throws `body_too_large` with the number of the line, and what `bodyStream` throws.
 */
export async function* tryLines(
  body: StreamBody,
  lineBytesMax: number,
  signal: AbortSignal,
): AsyncGenerator<Line | UnreadableLine> {
  const request = requestOf(body);
  const chunks = bodyStream(request, signal);
  const tooLong = (number: number): AssayError =>
    atLine(number, "body_too_large", [{ path: "", message: `is longer than ${lineBytesMax} bytes` }]);
  const rules = { bytesMax: lineBytesMax, tooLong, memory: bodyQuotaOf(request), skipBlank: true };
  for await (const { number, bytes } of splitLines(chunks, rules)) {
    // A chunk of the body may be thousands of lines.
    await giveTurn();
    const text = bytes.toString("utf8");
    if (!isUtf8(bytes)) yield { number, error: atLine(number, "invalid_json", [NOT_UTF8]) };
    else if (text.trim() !== "") yield parseLine(text, number);
  }
}

/** The place of a line in words; `number` counts from 1. */
export function lineAt(number: number): string {
  return `line ${number}`;
}

const NOT_UTF8: Fault = { path: "", message: "is not UTF-8" };

function parseLine(text: string, number: number): Line | UnreadableLine {
  try {
    return { number, value: parseStrictJson(text) };
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    return { number, error: atLine(number, error.code, error.faults) };
  }
}

/** The error for faults whose paths point into a line. */
export function atLine(number: number, code: ErrorCode, faults: readonly Fault[]): AssayError {
  return faultsError(
    code,
    faults.map((fault) => ({ ...fault, sample: lineAt(number) })),
  );
}

import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError, type ErrorCode, type Fault, faultsError } from "../../errors.js";
import { parseStrictJson } from "../../scoring/requests/strict-json.js";
import { splitLines } from "../../text/lines.js";
import { bodyQuotaOf } from "./body-quota.js";
import { bodyStream } from "./body-stream.js";

export const NDJSON_MEDIA_TYPE = "application/x-ndjson";

const REQUEST = Symbol("request");

/** A body of JSON lines that has not been read yet. */
export interface LineBody {
  readonly [REQUEST]: FastifyRequest;
}

export interface Line {
  /** From 1, blank lines counted. */
  readonly number: number;
  readonly value: unknown;
}

/**
 * Takes JSON lines in the scope of `app`, beside what it takes already; the body is a `LineBody`, which passes a route's
 * schema: lines are checked as they come.
 */
export function takeLineBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    NDJSON_MEDIA_TYPE,
    async (request: FastifyRequest): Promise<LineBody> => ({ [REQUEST]: request }),
  );
  const compile = app.validatorCompiler;
  if (compile === undefined) throw new Error("validateRequests comes first");
  app.setValidatorCompiler((route) => {
    const validate = compile(route);
    return (data: unknown) => (isLineBody(data) ? { value: data } : validate(data));
  });
}

export function isLineBody(body: unknown): body is LineBody {
  return typeof body === "object" && body !== null && REQUEST in body;
}

/**
 * The lines of a body, blank ones left out, as they come; the last one needs no line feed. Throws `invalid_json` and
 * `body_too_large` with the number of the line, and what `bodyStream` throws.
 */
export async function* readLines(
  body: LineBody,
  lineBytesMax: number,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const chunks = bodyStream(body[REQUEST], signal);
  const tooLong = (number: number): AssayError =>
    atLine(number, "body_too_large", [{ path: "", message: `is longer than ${lineBytesMax} bytes` }]);
  const rules = { bytesMax: lineBytesMax, tooLong, memory: bodyQuotaOf(body[REQUEST]) };
  for await (const { number, bytes } of splitLines(chunks, rules)) {
    if (!isUtf8(bytes)) throw atLine(number, "invalid_json", [{ path: "", message: "is not UTF-8" }]);
    const text = bytes.toString("utf8");
    if (text.trim() === "") continue;
    yield { number, value: parseLine(text, number) };
  }
}

/** Where a line stands, from 1. */
export function lineAt(number: number): string {
  return `line ${number}`;
}

function parseLine(text: string, number: number): unknown {
  try {
    return parseStrictJson(text);
  } catch (error) {
    throw error instanceof AssayError ? atLine(number, error.code, error.faults) : error;
  }
}

/** The error of faults whose paths point into a line. */
export function atLine(number: number, code: ErrorCode, faults: readonly Fault[]): AssayError {
  return faultsError(
    code,
    faults.map((fault) => ({ ...fault, sample: lineAt(number) })),
  );
}

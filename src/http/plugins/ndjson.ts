import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError, type ErrorCode, type Fault, faultsError, throwFaults } from "../../errors.js";
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
  /** Counts from 1; blank lines count too. */
  readonly number: number;
  readonly value: unknown;
}

/**
 * Takes JSON lines in the scope of `app`, in addition to the types that it takes already. The body is then a `LineBody`. It is
 * not checked against the route's schema, because each line is checked when it arrives.
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
 * The lines of a body as they arrive, without blank ones. The last line needs no line feed. Throws `invalid_json` and
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

/**
 * Refuses query parameters of a request with a JSON body, which has these fields itself. Throws `invalid_request`.
 */
export function refuseQuery(query: object): void {
  const message = "belongs in the JSON body: query parameters are only for JSON lines";
  throwFaults(
    "invalid_request",
    Object.keys(query).map((path) => ({ path, message })),
  );
}

/** The place of a line in words; `number` counts from 1. */
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

/** The error for faults whose paths point into a line. */
export function atLine(number: number, code: ErrorCode, faults: readonly Fault[]): AssayError {
  return faultsError(
    code,
    faults.map((fault) => ({ ...fault, sample: lineAt(number) })),
  );
}

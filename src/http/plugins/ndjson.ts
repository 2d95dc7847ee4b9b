import { isUtf8 } from "node:buffer";
import { validatorCompiler } from "@fastify/type-provider-zod";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parse } from "secure-json-parse";
import type { z } from "zod";
import { AssayError } from "../../errors.js";
import { type BodyShare, bodyShareOf } from "./body-share.js";
import { bodyStream } from "./body-stream.js";
import { jsonFault } from "./json-body.js";

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
  app.setValidatorCompiler<z.ZodType>((route) => {
    const validate = validatorCompiler(route);
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
  const share = bodyShareOf(body[REQUEST]);
  for await (const { number, bytes } of splitLines(chunks, lineBytesMax, share)) {
    if (!isUtf8(bytes)) throw lineFault(number, "is not UTF-8");
    const text = bytes.toString("utf8");
    if (text.trim() === "") continue;
    yield { number, value: parseLine(text, number) };
  }
}

function parseLine(text: string, number: number): unknown {
  try {
    return parse(text, null, { protoAction: "error", constructorAction: "error" });
  } catch (cause) {
    throw lineFault(number, jsonFault(cause));
  }
}

async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
  share: BodyShare,
): AsyncGenerator<{ number: number; bytes: Buffer }> {
  let number = 1;
  let parts: Uint8Array[] = [];
  let length = 0;

  function hold(part: Uint8Array): void {
    parts.push(part);
    length += part.length;
    if (length > lineBytesMax)
      throw new AssayError("body_too_large", {
        detail: `line ${number} is longer than ${lineBytesMax} bytes`,
      });
    share.take(part.length);
  }

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      hold(chunk.subarray(start, end));
      yield { number, bytes: Buffer.concat(parts) };
      share.give(length);
      number++;
      parts = [];
      length = 0;
      start = end + 1;
    }
    hold(chunk.subarray(start));
  }
  if (length > 0) yield { number, bytes: Buffer.concat(parts) };
}

const LINE_FEED = 0x0a;

function lineFault(number: number, message: string): AssayError {
  const path = `line ${number}`;
  return new AssayError("invalid_json", { detail: `${path}: ${message}`, faults: [{ path, message }] });
}

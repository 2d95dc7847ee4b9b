import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { AssayError } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import { describeProblem, type Problem } from "../problems.js";
import { restOf } from "./body-stream.js";
import { JSON_MEDIA_TYPE } from "./media-types.js";

/** How long a client has to take the last line before the connection is cut. */
const LAST_LINE_MS = 1000;
/** Time between two looks at whether it has taken it. */
const LOOK_MS = 10;

export type Part = string | Uint8Array;

/** Encodes what is made of `T`s. The parts of all calls together, in their order, are the answer. A part may be empty. */
export interface PartWriter<T> {
  begin(): Part;
  write(item: T): Part;
  end(): Part;
}

/**
 * Answers with parts as they are made, no faster than the client takes them, in constant memory. An error before the first part is
 * answered like any other. After it the status has been sent, so the connection is cut, which every HTTP client reports. If the
 * format has lines, the last line before that is the problem. When the client disconnects, `parts` is ended.
 *
 * @param lastLine renders a problem in the format; null if the format has no place for one
 */
export async function answerInParts(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: AsyncGenerator<Part>,
  lastLine: ((problem: Problem) => string) | null,
): Promise<FastifyReply> {
  const first = await parts.next();

  async function* all(): AsyncGenerator<Part> {
    try {
      if (!first.done) yield first.value;
      yield* parts;
    } catch (thrown) {
      const { error, problem } = describeProblem(thrown as FastifyError | AssayError, request);
      if (lastLine !== null) {
        yield lastLine(problem);
        await taken(reply.raw);
      }
      throw error;
    } finally {
      await parts.return(undefined);
    }
    // The plugin `linger` does the same for requests that are refused before the first part.
    if (!reply.raw.shouldKeepAlive) await restOf(request.raw);
  }
  return reply.send(Readable.from(all(), { objectMode: true, highWaterMark: 1 }));
}

/** The same for the parts of a large JSON text. An error after the first part cuts the connection. */
export function answerJsonInParts(
  parts: AsyncGenerator<string>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.type(`${JSON_MEDIA_TYPE}; charset=utf-8`);
  return answerInParts(request, reply, parts, null);
}

/** Waits until the client has taken what was written, but not for long. */
async function taken(answer: ServerResponse): Promise<void> {
  for (let waitedMs = 0; waitedMs < LAST_LINE_MS; waitedMs += LOOK_MS) {
    await delay(LOOK_MS);
    if (answer.destroyed || answer.writableLength === 0) return;
  }
}

/** A problem as the last line of JSON lines. */
export function problemLine(problem: Problem): string {
  return `${JSON.stringify(problem)}\n`;
}

/** The parts of an answer. The first one comes once there is an item, so an error before it is answered with its status. */
export async function* encodedParts<T>(writer: PartWriter<T>, items: AsyncIterable<T>): AsyncGenerator<Part> {
  let begun = false;
  for await (const item of items) {
    await giveTurn();
    if (!begun) yield* some(writer.begin());
    begun = true;
    yield* some(writer.write(item));
  }
  if (!begun) yield* some(writer.begin());
  yield* some(writer.end());
}

/** A stream takes an empty part for its end. */
function* some(part: Part): Generator<Part> {
  if (part.length > 0) yield part;
}

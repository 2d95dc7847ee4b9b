import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { AssayError } from "../../errors.js";
import { describeProblem } from "../problems.js";
import { restOf } from "./body-stream.js";
import { NDJSON_MEDIA_TYPE } from "./ndjson.js";

/** Time before the first line, and between two lines. */
const PERIOD_MS = 1000;

type Outcome = { readonly result: object } | { readonly error: FastifyError | AssayError };

/**
 * Answers long work in JSON lines: one line of progress a second, from the first progress on, and at the end the result or a
 * problem. The status is 200 then. Work that fails before the first line is answered like any other problem. A line may repeat
 * the one before: it shows that the work goes on, and it keeps the connection in use. A client that does not read its lines
 * does not slow the work down.
 *
 * @param work receives a function to call with its progress
 */
export async function answerInLines(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (onProgress: (progress: object) => void) => Promise<object>,
): Promise<FastifyReply> {
  const state: { progress: object | null } = { progress: null };
  const ended: Promise<Outcome> = work((progress) => {
    state.progress = progress;
  }).then(
    (result) => ({ result }),
    (error: FastifyError | AssayError) => ({ error }),
  );

  /** The outcome, or null a period later. */
  function endWithinPeriod(): Promise<Outcome | null> {
    return Promise.race([ended, delay(PERIOD_MS, null, { ref: false })]);
  }

  let early = await endWithinPeriod();
  while (early === null && state.progress === null) early = await endWithinPeriod();
  // An error before the first line goes to the error handler, which answers and logs it.
  if (early !== null && "error" in early) throw early.error;
  const last = ended.then((outcome) =>
    "result" in outcome ? outcome.result : describeProblem(outcome.error, request).problem,
  );

  async function* lines(): AsyncGenerator<string> {
    for (let end = early; end === null; end = await endWithinPeriod()) yield lineOf(state.progress);
    yield lineOf(await last);
    // The plugin `linger` does the same for requests that are refused before the first line.
    if (!reply.raw.shouldKeepAlive) await restOf(request.raw);
  }
  return reply.type(NDJSON_MEDIA_TYPE).send(Readable.from(lines()));
}

function lineOf(value: object | null): string {
  return `${JSON.stringify(value)}\n`;
}

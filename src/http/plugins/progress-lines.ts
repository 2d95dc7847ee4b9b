import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { describeProblem } from "../problems.js";
import { NDJSON_MEDIA_TYPE } from "./ndjson.js";

/** Time between two lines. */
const PERIOD_MS = 1000;

/**
 * Answers long work in JSON lines: from its first progress on, every second how far it is, and last its result or a problem.
 * The status is 200 then; what fails before is answered as any problem is. A client that does not read holds nothing up.
 *
 * @param work is given what to call with its progress
 */
export async function answerInLines(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (onProgress: (progress: object) => void) => Promise<object>,
): Promise<FastifyReply> {
  const state: { progress: object | null; last: object | null } = { progress: null, last: null };
  let ended: Promise<void> = Promise.resolve();
  await new Promise<void>((begin, refuse) => {
    const worked = work((progress) => {
      state.progress = progress;
      begin();
    });
    ended = worked.then(
      (result) => {
        state.last = result;
        begin();
      },
      (error) => {
        // Who was refused before the first line is answered by the error handler, which logs it too.
        if (state.progress === null) refuse(error);
        else state.last = describeProblem(error, request).problem;
      },
    );
  });

  async function* lines(): AsyncGenerator<string> {
    while (state.last === null) {
      yield lineOf(state.progress);
      await Promise.race([ended, delay(PERIOD_MS, undefined, { ref: false })]);
    }
    yield lineOf(state.last);
  }
  return reply.type(NDJSON_MEDIA_TYPE).send(Readable.from(lines()));
}

function lineOf(value: object | null): string {
  return `${JSON.stringify(value)}\n`;
}

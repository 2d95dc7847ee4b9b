import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { bodyFault } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import { parseStrictJson } from "../../scoring/requests/strict-json.js";
import { longestList } from "./longest-list.js";
import { JSON_MEDIA_TYPE, mediaTypesOf, refuseEncoding, refuseOtherTypes } from "./media-types.js";
import { stopwatchOf } from "./server-timing.js";
import { readWholeBody } from "./whole-body.js";

/**
 * Reads JSON bodies and no others: UTF-8, without a content encoding. Bytes that are not UTF-8 are refused. Decoding them would
 * score texts other than those that were sent.
 */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_MEDIA_TYPE, async (request: FastifyRequest) => {
    const stopwatch = stopwatchOf(request);
    refuseEncoding(request);
    const body = await readWholeBody(request, request.routeOptions.bodyLimit);
    stopwatch.lap("receive");
    await giveTurn();
    if (request.is404) return undefined;
    const { schema = {} } = request.routeOptions;
    const isTaken = mediaTypesOf(schema).length > 0;
    try {
      return isTaken ? parseBody(body, longestList(schema.body)) : noBody(body);
    } finally {
      stopwatch.lap("parse");
      await giveTurn();
    }
  });
  refuseOtherTypes(app);
}

function parseBody(body: Buffer, entriesMax: number): unknown {
  if (body.length === 0) throw bodyFault("invalid_json", "is missing: send a JSON object");
  if (!isUtf8(body)) throw bodyFault("invalid_json", "is not UTF-8");
  return parseStrictJson(body.toString("utf8"), entriesMax);
}

/** Accepts no body or an empty object: some clients set a content type on every request and send one of these. */
function noBody(body: Buffer): undefined {
  if (body.length === 0 || body.toString("latin1").trim() === "{}") return undefined;
  throw bodyFault("invalid_request", "is not used by this route: leave it out, or send {}");
}

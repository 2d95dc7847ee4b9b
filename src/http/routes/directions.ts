import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { faultsError } from "../../errors.js";
import { deleteDirection, listDirections, readDirection } from "../../scoring/directions/known.js";
import { type DirectionRequest, makeDirection } from "../../scoring/directions/make.js";
import { scaleDirection } from "../../scoring/directions/scale.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import type { LocatedSample } from "../../scoring/requests/sample-batches.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { checkSchema } from "../../scoring/requests/schema-faults.js";
import { bodyStream } from "../plugins/body-stream.js";
import { callerOf, portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { closingSignal } from "../plugins/closing.js";
import { refuseOtherTypes } from "../plugins/media-types.js";
import { atLine, lineAt, NDJSON_MEDIA_TYPE, readLines } from "../plugins/ndjson.js";
import { answerInLines } from "../plugins/progress-lines.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { isStreamBody, refuseQuery, type StreamBody, takeStreamBodies } from "../plugins/stream-body.js";
import { renderDirection } from "../render.js";
import { pageQuerySchema } from "../schemas/dataset.js";
import {
  directionBodySchema,
  directionListSchema,
  directionParamsSchema,
  directionQuerySchema,
  directionSchema,
  SCALE_MEDIA_TYPE,
} from "../schemas/direction.js";
import { uploadSchema } from "../schemas/model.js";
import { BODY_PROBLEMS, problems, RUN_PROBLEMS, STORE_PROBLEMS } from "../schemas/problem.js";

export function directionRoutes(ports: Ports, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/directions",
      {
        schema: {
          operationId: "listDirections",
          summary: "List the directions",
          tags: ["directions"],
          headers: timeoutHeadersSchema,
          querystring: pageQuerySchema,
          response: { 200: directionListSchema, ...problems(...STORE_PROBLEMS) },
        },
      },
      async (request, reply) => {
        const { query } = request;
        const page = await listDirections(
          portsUntil(ports, request, reply),
          query.cursor ?? null,
          query.limit,
        );
        return { directions: page.items.map(renderDirection), next_cursor: page.cursor };
      },
    );
    app.get(
      "/v1/directions/:direction",
      {
        schema: {
          operationId: "readDirection",
          summary: "Describe one direction",
          tags: ["directions"],
          headers: timeoutHeadersSchema,
          params: directionParamsSchema,
          response: {
            200: directionSchema,
            ...problems("direction_not_found", ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) =>
        renderDirection(await readDirection(portsUntil(ports, request, reply), request.params.direction)),
    );
    app.delete(
      "/v1/directions/:direction",
      {
        schema: {
          operationId: "deleteDirection",
          summary: "Delete a direction",
          tags: ["directions"],
          headers: timeoutHeadersSchema,
          params: directionParamsSchema,
          response: {
            204: z.null().describe("Deleted"),
            ...problems("direction_not_found", ...BODY_PROBLEMS, ...STORE_PROBLEMS),
          },
        },
      },
      async (request, reply) => {
        await deleteDirection(portsUntil(ports, request, reply).store, request.params.direction);
        return reply.code(204).send(null);
      },
    );
    await app.register(makingRoute(ports, limits));
    await app.register(scalingRoute(ports));
  };
}

/** A separate plugin scope, because no other route takes a stream of samples. */
function makingRoute(ports: Ports, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    takeStreamBodies(app, [NDJSON_MEDIA_TYPE]);
    const closing = closingSignal(app);
    app.put(
      "/v1/directions/:direction",
      {
        schema: {
          operationId: "makeDirection",
          summary: "Make a direction from labelled samples",
          description: `Send the samples as JSON, or any number of them as JSON lines (\`${NDJSON_MEDIA_TYPE}\`): one sample per line, with \`kind\`, \`model\` and \`loss\` as query parameters. JSON lines are answered with JSON lines: after the first second, \`{"samples": n}\` each second, and as the last line the direction, or a problem, which has a \`code\`. The status is then 200. A request that fails before the first line of the answer is answered with the status of its problem. An existing direction of that name stays unchanged until the new one is complete. If two requests make the same direction at once, the one that finishes last is kept.`,
          tags: ["directions"],
          consumes: ["application/json", NDJSON_MEDIA_TYPE],
          headers: timeoutHeadersSchema,
          params: directionParamsSchema,
          querystring: directionQuerySchema,
          body: directionBodySchema(limits),
          response: {
            200: directionSchema,
            ...problems(
              "invalid_json",
              "invalid_sample",
              "missing_label",
              "unsuitable_loss",
              "unsuitable_label",
              "unsuitable_graph",
              "direction_stale",
              "direction_undefined",
              "directions_full",
              "accumulation_lost",
              ...BODY_PROBLEMS,
              ...RUN_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const name = request.params.direction;
        const body: unknown = request.body;
        const caller = callerOf(request, reply);
        const stopwatch = stopwatchOf(request);
        if (!isStreamBody(body)) {
          const { samples, ...rest } = request.body;
          refuseQuery(request.query);
          const located = samples.map((sample, index) => ({ sample, place: index }));
          const watch = { caller, stopwatch, onProgress: () => undefined };
          return renderDirection(await makeDirection(ports, { name, ...rest }, located, watch, limits));
        }
        const asked = { name, ...requireKind(request.query) };
        const signal = AbortSignal.any([caller.signal, closing]);
        return answerInLines(request, reply, async (onProgress) => {
          const samples = samplesOf(body, limits, signal);
          const watch = {
            caller: { ...caller, signal },
            stopwatch,
            onProgress: (summed: number) => onProgress({ samples: summed }),
          };
          return renderDirection(await makeDirection(ports, asked, samples, watch, limits));
        });
      },
    );
  };
}

/** A separate plugin scope, because this route reads nothing but bytes. */
function scalingRoute(ports: Ports): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(SCALE_MEDIA_TYPE, async (request: FastifyRequest) => bodyStream(request));
    refuseOtherTypes(app);
    app.put(
      "/v1/directions/:direction/scale",
      {
        schema: {
          operationId: "scaleDirection",
          summary: "Multiply a direction by an optimiser's step sizes, once",
          description: `Send as many entries as the direction has, in the manifest's order of parameters, as float32 little-endian (\`${SCALE_MEDIA_TYPE}\`). Each entry of the direction is multiplied by its own. Signals along the direction are then those that the optimiser sees, and answers say \`preconditioned\`. The same vector again changes nothing; another is refused. docs/directions.md says which vector to send.`,
          tags: ["directions"],
          consumes: [SCALE_MEDIA_TYPE],
          headers: timeoutHeadersSchema,
          params: directionParamsSchema,
          body: uploadSchema,
          response: {
            200: directionSchema,
            ...problems(
              "direction_not_found",
              "direction_scaled",
              "direction_undefined",
              "scale_invalid",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) =>
        renderDirection(
          await scaleDirection(portsUntil(ports, request, reply), request.params.direction, request.body),
        ),
    );
  };
}

/** The samples of a body of lines. Throws `invalid_request` for the first line that is no sample, and what `readLines` throws. */
async function* samplesOf(
  body: StreamBody,
  limits: Limits,
  signal: AbortSignal,
): AsyncGenerator<LocatedSample> {
  const schema = sampleSchema(limits);
  for await (const { number, value } of readLines(body, limits.bodyBytesMax, signal)) {
    const { faults, value: sample } = checkSchema(schema, value);
    if (faults !== undefined) throw atLine(number, "invalid_request", faults);
    yield { sample, place: lineAt(number) };
  }
}

function requireKind({ kind, ...rest }: Query): Omit<DirectionRequest, "name"> {
  if (kind !== undefined) return { kind, ...rest };
  const message = "is required as a query parameter with JSON lines";
  throw faultsError("invalid_request", [{ path: "kind", message }]);
}

type Query = z.infer<typeof directionQuerySchema>;

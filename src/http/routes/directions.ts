import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { faultsError } from "../../errors.js";
import { deleteDirection, listDirections, readDirection } from "../../scoring/directions/known.js";
import { type DirectionRequest, makeDirection } from "../../scoring/directions/make.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import type { LocatedSample } from "../../scoring/requests/sample-batches.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { checkSchema } from "../../scoring/requests/schema-faults.js";
import { callerOf, portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { closingSignal } from "../plugins/closing.js";
import {
  atLine,
  isLineBody,
  type LineBody,
  lineAt,
  NDJSON_MEDIA_TYPE,
  readLines,
  refuseQuery,
  takeLineBodies,
} from "../plugins/ndjson.js";
import { answerInLines } from "../plugins/progress-lines.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { renderDirection } from "../render.js";
import { pageQuerySchema } from "../schemas/dataset.js";
import {
  directionBodySchema,
  directionListSchema,
  directionParamsSchema,
  directionQuerySchema,
  directionSchema,
} from "../schemas/direction.js";
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
  };
}

/** A separate plugin scope, because no other route takes a stream of samples. */
function makingRoute(ports: Ports, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    takeLineBodies(app);
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
        if (!isLineBody(body)) {
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

/** The samples of a body of lines. Throws `invalid_request` for the first line that is no sample, and what `readLines` throws. */
async function* samplesOf(
  body: LineBody,
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

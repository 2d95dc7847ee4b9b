import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { FastifyBaseLogger, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Metrics } from "../../observe/metrics.js";
import { type ScoreAnswer, scoreSamples } from "../../scoring/batch/score.js";
import type { Ports, Watch } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { scoreStream, streamColumns } from "../../scoring/streams/score-stream.js";
import { arrowSamples } from "../arrow/samples.js";
import { ARROW_MEDIA_TYPE } from "../arrow/writer.js";
import { callerOf, timeoutHeadersSchema } from "../plugins/caller.js";
import { closingSignal } from "../plugins/closing.js";
import { JSON_MEDIA_TYPE } from "../plugins/media-types.js";
import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { isStreamBody, refuseQuery, type StreamBody, takeStreamBodies } from "../plugins/stream-body.js";
import { answerInParts, encodedParts, type Part, problemLine } from "../plugins/streamed-answer.js";
import { renderDiagnostics, renderFraction } from "../render.js";
import { BODY_PROBLEMS, problems, RUN_PROBLEMS, STORE_PROBLEMS } from "../schemas/problem.js";
import { scoreAnswerSchema, scoreBodySchema, scoreQuerySchema } from "../schemas/score.js";
import { arrowResults, ndjsonResults } from "../score-answers.js";
import { lineSamples } from "../score-lines.js";

const STREAM_TYPES = [NDJSON_MEDIA_TYPE, ARROW_MEDIA_TYPE];

type StreamQuery = z.infer<typeof scoreQuerySchema>;

export function scoreRoutes(
  ports: Ports,
  { samples, cacheHits }: Pick<Metrics, "samples" | "cacheHits">,
  limits: Limits,
): FastifyPluginAsyncZod {
  return async (app) => {
    takeStreamBodies(app, STREAM_TYPES);
    const closing = closingSignal(app);

    function count(answer: ScoreAnswer, log: FastifyBaseLogger): void {
      const { model, columns, cacheHits: hits, kept, embeddingsWithoutRoom } = answer;
      // The results of a stream have no place for the advice.
      if (embeddingsWithoutRoom > 0)
        log.warn(
          { embeddings: embeddingsWithoutRoom },
          "embeddings were not kept: their dataset has no room",
        );
      void kept.then((failure) => {
        if (failure !== null) log.warn({ err: failure }, "outputs were not cached");
      });
      samples.inc({ model: model.name }, columns.ids.length);
      cacheHits.inc({ model: model.name }, hits);
    }

    /** The results of a stream, encoded as the stream is. */
    async function* scored(request: FastifyRequest, stream: StreamQuery, watch: Watch): AsyncGenerator<Part> {
      const body = request.body as StreamBody;
      const { reference, ...rest } = stream;
      const asked = { ...rest, ...(reference !== undefined && { reference: { model: reference } }) };
      const isArrow = body.mediaType === ARROW_MEDIA_TYPE;
      const columns = streamColumns(ports.rankers, asked);
      const writer = isArrow ? arrowResults(columns) : ndjsonResults();
      const lines = (isArrow ? arrowSamples : lineSamples)(body, limits, watch.caller.signal);
      const onScored = (answer: ScoreAnswer): void => count(answer, request.log);
      yield* encodedParts(writer, scoreStream(ports, asked, lines, { limits, watch, onScored }));
    }

    app.post(
      "/v1/score",
      {
        schema: {
          operationId: "score",
          summary: "Score a batch of samples",
          description: `Answers each sample's logits, signals and weight. If the request names a dataset, the service remembers the samples in it. A body has at most ${limits.bodyBytesMax} bytes. Send any number of samples as JSON lines (\`${NDJSON_MEDIA_TYPE}\`) or as an Arrow IPC stream (\`${ARROW_MEDIA_TYPE}\`), with the options as query parameters: they are answered in kind, one result for each sample in their order, with signals and without weights. A sample with a fault has its fault in place of a result, and the others are scored: as a line \`{"id", "line", "error"}\` with a problem, or in the columns \`error\` and \`detail\`. With a group loss, the samples of a group have to follow one another. Read the answer while you send. If the stream fails after the first result, the connection is cut, and the last line of JSON lines is a problem, which has a \`code\`. A line, or a record batch, has at most ${limits.bodyBytesMax} bytes.`,
          tags: ["score"],
          consumes: [JSON_MEDIA_TYPE, ...STREAM_TYPES],
          headers: timeoutHeadersSchema,
          querystring: scoreQuerySchema,
          body: scoreBodySchema(limits),
          response: {
            200: scoreAnswerSchema,
            ...problems(
              "invalid_json",
              "invalid_sample",
              "duplicate_id",
              "missing_label",
              "missing_reference",
              "missing_direction",
              "unsuitable_loss",
              "unsuitable_label",
              "unsuitable_precision",
              "unsuitable_signal",
              "unsuitable_weighting",
              "direction_not_found",
              "direction_stale",
              "checkpoint_conflict",
              "checkpoints_full",
              "shapes_full",
              ...BODY_PROBLEMS,
              ...RUN_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const stopwatch = stopwatchOf(request);
        const body: unknown = request.body;
        if (isStreamBody(body)) {
          const caller = callerOf(request, reply);
          const signal = AbortSignal.any([caller.signal, closing]);
          const parts = scored(request, request.query, { caller: { ...caller, signal }, stopwatch });
          const lastLine = body.mediaType === NDJSON_MEDIA_TYPE ? problemLine : null;
          return answerInParts(request, reply.type(body.mediaType), parts, lastLine);
        }
        refuseQuery(request.query);
        const answer = await scoreSamples(ports, request.body, {
          caller: callerOf(request, reply),
          stopwatch,
        });
        const { model, weighting } = answer;
        count(answer, request.log);
        stopwatch.lap("serialise");
        return {
          model: {
            name: model.name,
            version: model.version,
            ...(answer.gradientScope !== null && { gradient_scope: answer.gradientScope }),
          },
          loss: answer.loss,
          ...(answer.preconditioned && { preconditioned: true }),
          results: answer.rows(),
          diagnostics: {
            ...renderDiagnostics(weighting?.diagnostics, answer.advice),
            cache_hits: answer.cacheHits,
            ...(answer.estimated && { exact_share: renderFraction(answer.estimated, weighting) }),
          },
        };
      },
    );
  };
}

import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Metrics } from "../../observe/metrics.js";
import type { Rankers } from "../../ranker/port.js";
import type { Limits } from "../../scoring/limits.js";
import { sampleRow } from "../../scoring/row.js";
import { scoreSamples } from "../../scoring/score.js";
import type { Stage } from "../../scoring/stopwatch.js";
import type { Store } from "../../store/port.js";
import { clientAbort } from "../plugins/client-abort.js";
import { renderDiagnostics } from "../render.js";
import { problems } from "../schemas/problem.js";
import { scoreAnswerSchema, scoreBodySchema } from "../schemas/score.js";

export function scoreRoutes(
  { rankers, store }: { rankers: Rankers; store: Store },
  { samples, cacheHits }: Pick<Metrics, "samples" | "cacheHits">,
  limits: Limits,
): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/score",
      {
        schema: {
          operationId: "score",
          summary: "Score a batch of samples",
          description: `Answers each sample's logits, signals and weight; remembers them where a dataset is named. A body has at most ${limits.bodyBytesMax} bytes.`,
          tags: ["score"],
          body: scoreBodySchema(limits),
          response: {
            200: scoreAnswerSchema,
            ...problems(
              "invalid_request",
              "model_not_found",
              "body_too_large",
              "unsupported_media_type",
              "invalid_sample",
              "overloaded",
              "store_unavailable",
            ),
          },
        },
      },
      async (request, reply) => {
        const answer = await scoreSamples({ rankers, store }, request.body, clientAbort(reply));
        const { model, weighting } = answer;
        samples.inc({ model: model.name }, answer.results.length);
        cacheHits.inc({ model: model.name }, answer.cacheHits);
        reply.header("server-timing", serverTiming(answer.durationsMs));
        return {
          model: { name: model.name, version: model.version },
          loss: answer.loss,
          results: answer.results.map(sampleRow),
          diagnostics: {
            ...renderDiagnostics(weighting?.diagnostics, answer.advice),
            cache_hits: answer.cacheHits,
          },
        };
      },
    );
  };
}

/** The stages of a request as a Server-Timing header (W3C), durations in milliseconds. */
function serverTiming(durationsMs: ReadonlyMap<Stage, number>): string {
  return [...durationsMs].map(([stage, durationMs]) => `${stage};dur=${durationMs.toFixed(2)}`).join(", ");
}

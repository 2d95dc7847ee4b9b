import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Metrics } from "../../observe/metrics.js";
import { scoreSamples } from "../../scoring/batch/score.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { callerOf, timeoutHeadersSchema } from "../plugins/caller.js";
import { stopwatchOf } from "../plugins/server-timing.js";
import { renderDiagnostics, renderFraction } from "../render.js";
import { BODY_PROBLEMS, problems, RUN_PROBLEMS, STORE_PROBLEMS } from "../schemas/problem.js";
import { scoreAnswerSchema, scoreBodySchema } from "../schemas/score.js";

export function scoreRoutes(
  ports: Ports,
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
          description: `Answers each sample's logits, signals and weight. If the request names a dataset, the service remembers the samples in it. A body has at most ${limits.bodyBytesMax} bytes.`,
          tags: ["score"],
          headers: timeoutHeadersSchema,
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
              ...BODY_PROBLEMS,
              ...RUN_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const stopwatch = stopwatchOf(request);
        const answer = await scoreSamples(ports, request.body, {
          caller: callerOf(request, reply),
          stopwatch,
        });
        const { model, weighting } = answer;
        void answer.kept.then((failure) => {
          if (failure !== null) request.log.warn({ err: failure }, "outputs were not cached");
        });
        samples.inc({ model: model.name }, answer.results.length);
        cacheHits.inc({ model: model.name }, answer.cacheHits);
        stopwatch.lap("serialise");
        return {
          model: {
            name: model.name,
            version: model.version,
            ...(answer.gradientScope !== null && { gradient_scope: answer.gradientScope }),
          },
          loss: answer.loss,
          results: answer.results,
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

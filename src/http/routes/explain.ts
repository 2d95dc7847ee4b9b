import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Rankers } from "../../ranker/port.js";
import { explainSamples } from "../../scoring/explain/explain.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { callerOf, timeoutHeadersSchema } from "../plugins/caller.js";
import { renderExplained } from "../render-explanation.js";
import { explainBodySchema, explanationSchema } from "../schemas/explanation.js";
import { BODY_PROBLEMS, problems, RUN_PROBLEMS } from "../schemas/problem.js";

export function explainRoutes(rankers: Rankers, limits: Limits): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/explain",
      {
        schema: {
          operationId: "explain",
          summary: "Say which words move a sample's logit and loss",
          description:
            "Answers, for each token or word of the posted samples, how much it adds to each logit, and to the loss if the sample has a label. The texts come from the request: the store is neither read nor written. docs/explanations.md says how to read the answer.",
          tags: ["score"],
          headers: timeoutHeadersSchema,
          body: explainBodySchema(limits),
          response: {
            200: explanationSchema,
            ...problems(
              "invalid_json",
              "invalid_request",
              "invalid_sample",
              "unsuitable_graph",
              "unsuitable_label",
              "unsuitable_loss",
              ...BODY_PROBLEMS,
              ...RUN_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const { model, loss, method, samples } = await explainSamples(
          rankers,
          body,
          callerOf(request, reply),
        );
        return {
          model: { name: model.name, version: model.version },
          loss,
          method,
          ...(body.class !== undefined && { class: body.class }),
          results: samples.map((explained, index) => renderExplained(explained, body.samples, index)),
        };
      },
    );
  };
}

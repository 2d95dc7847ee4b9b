import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { estimateMeans } from "../../scoring/estimate/estimate.js";
import { estimateAnswerSchema, estimateBodySchema } from "../schemas/estimate.js";
import { BODY_PROBLEMS, problems } from "../schemas/problem.js";

/** 95% of a normal distribution lie within this many standard errors. */
const NORMAL_95 = 1.96;

export const estimateRoutes: FastifyPluginAsyncZod = async (app) => {
  app.post(
    "/v1/estimate",
    {
      schema: {
        operationId: "estimate",
        summary: "Estimate means from samples that were not drawn evenly",
        description:
          "Answers the mean of each posted quantity over the whole population, from samples that were chosen with known probabilities or drawn from another distribution. It keeps nothing. Weights of densities that are too unequal are refused. docs/estimate.md has an example.",
        tags: ["estimates"],
        body: estimateBodySchema,
        response: {
          200: estimateAnswerSchema,
          ...problems("invalid_json", "invalid_request", "weights_hopeless", ...BODY_PROBLEMS),
        },
      },
    },
    async ({ body }) => {
      const { estimator, samples, estimates, effectiveSampleSize, maxWeight, pareto, advice } =
        estimateMeans(body);
      return {
        estimator,
        samples,
        estimates: estimates.map(({ name, mean, standardError, plainMean }) => ({
          name,
          mean,
          standard_error: standardError,
          interval: [mean - NORMAL_95 * standardError, mean + NORMAL_95 * standardError],
          plain_mean: plainMean,
        })),
        diagnostics: {
          effective_sample_size: effectiveSampleSize,
          max_weight: maxWeight,
          pareto_k: pareto.k,
          pareto_k_threshold: pareto.threshold,
          advice: [...advice],
        },
      };
    },
  );
};

import { z } from "zod";
import { LOSSES } from "../../importance/types.js";
import { EXPLAINED_CLASSES_MAX, EXPLANATION_METHODS } from "../../scoring/explain/explain.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { modelNameSchema } from "../../scoring/requests/names.js";
import { CLASSES_MAX, sampleSchema } from "../../scoring/requests/sample-schema.js";

/** Most samples of one request. Each one takes as long as dozens of scores, or hundreds. */
const SAMPLES_MAX = 16;

/** The body of `POST /v1/explain` under the configured limits. */
export function explainBodySchema(limits: Limits) {
  return z.strictObject({
    model: modelNameSchema.optional(),
    loss: z
      .enum(LOSSES)
      .optional()
      .describe("Default: the loss of the model's task. Losses of a group cannot be explained."),
    method: z
      .enum(EXPLANATION_METHODS)
      .optional()
      .describe(
        "`integrated_gradients` explains tokens and needs the model's graph `attribution`; `occlusion` explains words and needs no gradients. Default: the first if the model has the graph.",
      ),
    class: z
      .int()
      .min(0)
      .max(CLASSES_MAX - 1)
      .optional()
      .describe(
        `For a model with several logits: the only class to explain. Default: all. A model with more than ${EXPLAINED_CLASSES_MAX} needs it.`,
      ),
    samples: z
      .array(sampleSchema(limits))
      .min(1)
      .max(SAMPLES_MAX)
      .describe(
        "With a label, the answer also says what moves the loss. Ids are answered, and nothing is remembered.",
      ),
  });
}

const pieceSchema = z.object({
  part: z.enum(["query", "document", "text"]),
  start: z.int().describe("Its first character, as Unicode code points before it in its part"),
  end: z.int().describe("The character after its last"),
  text: z.string(),
  contribution: z.number().optional().describe("How much it adds to the logit, for a model with one logit"),
  contributions: z
    .array(z.number())
    .optional()
    .describe("How much it adds to each explained logit, for a model with several"),
  loss_contribution: z.number().optional().describe("How much it adds to the loss, for a labelled sample"),
});

export const explanationSchema = z
  .object({
    model: z.object({ name: z.string(), version: z.string() }),
    loss: z.enum(LOSSES),
    method: z.enum(EXPLANATION_METHODS),
    class: z.int().optional().describe("The only class that is explained, if the request named one"),
    results: z
      .array(
        z.object({
          id: z.string().nullable(),
          logit: z.number().optional().describe("For a model with one logit"),
          logits: z.array(z.number()).optional().describe("For a model with several logits"),
          loss: z.number().optional().describe("For a labelled sample"),
          pieces: z
            .array(pieceSchema)
            .describe(
              "Tokens or words in the order in which the model reads them. What it cuts off is not among them.",
            ),
          baseline: z
            .object({
              logit: z.number().optional(),
              logits: z.array(z.number()).optional(),
            })
            .optional()
            .describe(
              "With `integrated_gradients`: what the model answers if padding is in place of every token but the special ones. The tokens' contributions sum to the logit less this.",
            ),
          points: z
            .int()
            .optional()
            .describe("With `integrated_gradients`: points at which gradients were taken"),
          residual: z
            .number()
            .optional()
            .describe(
              "With `integrated_gradients`: how far the sum is off, for the class where it is furthest",
            ),
          converged: z
            .boolean()
            .optional()
            .describe(
              "With `integrated_gradients`: whether each sum is within 2% of the logit's change, or 0.01. If not, 400 points did not suffice: read the contributions as rough.",
            ),
        }),
      )
      .describe("In the order of the samples"),
  })
  .describe("What moves each sample's logits and loss");

import { z } from "zod";
import { LOSSES, SIGNALS } from "../../importance/types.js";
import { PRECISIONS } from "../../ranker/port.js";
import type { Limits } from "../../scoring/limits.js";
import { datasetSchema, directionNameSchema, modelNameSchema } from "../../scoring/names.js";
import { sampleSchema } from "../../scoring/sample-schema.js";
import { diagnosticsSchema, weightingSchema } from "./weighting.js";

/** Checkpoints of one trajectory: each is a run of all samples. */
const TRAJECTORY_MAX = 16;

/** The body of `POST /v1/score` under the configured limits. */
export function scoreBodySchema(limits: Limits) {
  return z
    .strictObject({
      model: modelNameSchema.optional(),
      dataset: datasetSchema.optional(),
      signals: z
        .array(z.enum(SIGNALS))
        .max(SIGNALS.length)
        .optional()
        .describe(
          "Default: `loss` and `grad_norm_last` of labelled samples, what needs no label of the others. Those of a dataset are remembered.",
        ),
      loss: z.enum(LOSSES).optional().describe("Default: the loss of the model's task"),
      weighting: weightingSchema
        .nullable()
        .optional()
        .describe(
          "Default for labelled samples: proportional to grad_norm_last, smoothing 0.1. Null: no weights.",
        ),
      precision: z
        .enum(PRECISIONS)
        .optional()
        .describe("Default: the model's; signals that read gradients run in fp32"),
      direction: directionNameSchema
        .optional()
        .describe("Direction that `influence`, `alignment` and `tangent` are measured along"),
      reference: z
        .strictObject({ model: modelNameSchema })
        .optional()
        .describe("Model whose loss `rho` takes away, where the samples bring no `reference_loss`"),
      trajectory: z
        .array(
          z.strictObject({
            model: modelNameSchema,
            direction: directionNameSchema,
            learning_rate: z.number().positive(),
          }),
        )
        .min(1)
        .max(TRAJECTORY_MAX)
        .optional()
        .describe(
          "Checkpoints that `influence` is summed over by their learning rates, in place of `direction`: each a served model with a direction of its own",
        ),
      samples: z.array(sampleSchema(limits)).min(1).max(limits.samplesMax),
    })
    .meta({
      example: {
        dataset: "search-2026-11",
        samples: [{ id: "q1:p9", query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 }],
      },
    });
}

const signalFields = Object.fromEntries(SIGNALS.map((name) => [name, z.number().optional()])) as Record<
  (typeof SIGNALS)[number],
  z.ZodOptional<z.ZodNumber>
>;

/** A sample's signals, each absent where its label does not allow it or nobody asked. */
export const signalsSchema = z.object(signalFields);

export const scoreAnswerSchema = z
  .object({
    model: z.object({ name: z.string(), version: z.string() }),
    loss: z.enum(LOSSES),
    results: z
      .array(
        z.object({
          id: z.string().nullable(),
          logit: z.number().optional().describe("Of a model with one logit"),
          logits: z.array(z.number()).optional().describe("Of a model with several"),
          ...signalFields,
          probabilities: z.array(z.number()).optional().describe("Of a model with several logits"),
          weight: z.number().nullable(),
          multiplier: z.number().nullable().optional().describe("1/(N p), with role `probability`"),
          cached: z.boolean().describe("The outputs were in the store"),
          truncated: z.boolean().describe("Longer than the model takes; cut, longest text first"),
        }),
      )
      .describe("In the order of the samples"),
    diagnostics: diagnosticsSchema.extend({ cache_hits: z.number().int() }),
  })
  .describe("Each sample's answer, and what to know of the batch");

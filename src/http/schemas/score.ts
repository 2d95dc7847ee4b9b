import { z } from "zod";
import { LOSSES, SIGNALS } from "../../importance/types.js";
import { PRECISIONS } from "../../ranker/port.js";
import { CORRELATED_MIN } from "../../scoring/batch/estimated-norms.js";
import { DRAWN_MIN } from "../../scoring/batch/fraction-outputs.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { datasetSchema, directionNameSchema, modelNameSchema } from "../../scoring/requests/names.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { weightingSchema } from "../../scoring/requests/weighting-schema.js";
import { diagnosticsSchema } from "./diagnostics.js";

/** Checkpoints of one trajectory: each is a run of all samples. */
const TRAJECTORY_MAX = 16;

/** Largest learning rate of a checkpoint: influence summed by it stays a number. */
const LEARNING_RATE_MAX = 1e6;

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
            learning_rate: z.number().positive().max(LEARNING_RATE_MAX),
          }),
        )
        .min(1)
        .max(TRAJECTORY_MAX)
        .optional()
        .describe(
          "Checkpoints that `influence` is summed over by their learning rates, in place of `direction`: each a served model with a direction of its own",
        ),
      exact_fraction: z
        .number()
        .positive()
        .max(1)
        .optional()
        .describe(
          `Share of the batch whose \`grad_norm\` is computed, at least ${DRAWN_MIN} samples; that of the others is estimated with their help, at the price of a forward pass`,
        ),
      seed: z
        .int()
        .min(0)
        .optional()
        .describe("Draws the exact share: the same samples and seed, the same share; default 0"),
      samples: z.array(sampleSchema(limits)).min(1).max(limits.samplesMax),
    })
    .check(({ value, issues }) => {
      if (value.seed !== undefined && value.exact_fraction === undefined)
        issues.push({ code: "custom", message: "is read with exact_fraction", path: ["seed"], input: value });
    });
}

const signalFields = Object.fromEntries(SIGNALS.map((name) => [name, z.number().optional()])) as Record<
  (typeof SIGNALS)[number],
  z.ZodOptional<z.ZodNumber>
>;

/** A sample's signals, each absent where its label does not allow it or nobody asked. */
export const signalsSchema = z.object(signalFields);

export const fractionSchema = z
  .object({
    samples: z
      .int()
      .describe("Samples that these figures are from: the exact share, or all where every gradient is known"),
    spearman: z
      .number()
      .nullable()
      .describe(`Of \`grad_norm_last\` with \`grad_norm\` over them; null under ${CORRELATED_MIN}`),
    pearson: z.number().nullable().describe("The same of magnitudes in place of ranks"),
    relative_error: z.number().describe("One standard error of an estimate, as a part of it"),
    grad_norm_sum: z.number().describe("Σ of the batch's gradient norms, estimated"),
    grad_norm_sum_error: z.number().describe("One standard error of it"),
    effective_sample_size_error: z
      .number()
      .nullable()
      .describe("One standard error of effective_sample_size; null where the weights read no estimate"),
  })
  .describe("With `exact_fraction`: what the exactly scored share tells of the whole batch");

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
          estimated: z
            .boolean()
            .optional()
            .describe("With `exact_fraction`: `grad_norm` is an estimate from the exact share"),
          grad_norm_error: z
            .number()
            .optional()
            .describe("With `exact_fraction`: one standard error of `grad_norm`; 0 where it is exact"),
          probabilities: z.array(z.number()).optional().describe("Of a model with several logits"),
          weight: z.number().nullable(),
          multiplier: z.number().nullable().optional().describe("1/(N p), with role `probability`"),
          cached: z.boolean().describe("The outputs were in the store"),
          truncated: z.boolean().describe("Longer than the model takes; cut, longest text first"),
        }),
      )
      .describe("In the order of the samples"),
    diagnostics: diagnosticsSchema.extend({
      cache_hits: z.number().int(),
      exact_share: fractionSchema.optional(),
    }),
  })
  .describe("Each sample's answer, and what to know of the batch");

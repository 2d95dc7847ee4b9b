import { z } from "zod";
import { BATCH_SIGNALS, LOSSES, SIGNALS } from "../../importance/types.js";
import { PRECISIONS } from "../../ranker/port.js";
import { CORRELATED_MIN } from "../../scoring/batch/estimated-norms.js";
import { DRAWN_MIN } from "../../scoring/batch/fraction-outputs.js";
import type { Limits } from "../../scoring/requests/limits.js";
import {
  checkpointSchema,
  datasetSchema,
  directionNameSchema,
  modelNameSchema,
} from "../../scoring/requests/names.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { weightingSchema } from "../../scoring/requests/weighting-schema.js";
import { diagnosticsSchema } from "./diagnostics.js";

/** Most checkpoints of one trajectory. Each one is a run of all samples. */
const TRAJECTORY_MAX = 16;

/** Largest learning rate of a checkpoint. It keeps the summed influence finite. */
const LEARNING_RATE_MAX = 1e6;

/** The body of `POST /v1/score` under the configured limits. */
export function scoreBodySchema(limits: Limits) {
  return z
    .strictObject({
      model: modelNameSchema.optional(),
      dataset: datasetSchema.optional(),
      checkpoint: checkpointSchema
        .optional()
        .describe(
          "The checkpoint of the training that the model is. The dataset keeps the samples' logits by checkpoint, and has the signals `mean_confidence`, `variability`, `aum` and `forgetting` from them.",
        ),
      signals: z
        .array(z.enum(BATCH_SIGNALS))
        .max(BATCH_SIGNALS.length)
        .optional()
        .describe(
          "Default: `loss` and `grad_norm_last` for labelled samples, and the signals that need no label for the others. If the request names a dataset, the signals are remembered.",
        ),
      loss: z.enum(LOSSES).optional().describe("Default: the loss of the model's task"),
      weighting: weightingSchema
        .nullable()
        .optional()
        .describe(
          "Default if every sample has a label: `proportional` to `grad_norm_last`, with smoothing 0.1. Null: no weights.",
        ),
      precision: z
        .enum(PRECISIONS)
        .optional()
        .describe("Default: the model's precision. Signals that read gradients, and `learned`, run in fp32."),
      direction: directionNameSchema
        .optional()
        .describe("The direction along which `influence`, `alignment` and `tangent` are measured"),
      reference: z
        .strictObject({ model: modelNameSchema })
        .optional()
        .describe("The model whose loss `rho` subtracts, if the samples have no `reference_loss`"),
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
          "Checkpoints for `influence`, in place of `direction`. Influence is summed over them, weighted by their learning rates. Each is a served model with a direction made with its weights.",
        ),
      exact_fraction: z
        .number()
        .positive()
        .max(1)
        .optional()
        .describe(
          `Share of the batch whose \`grad_norm\` is computed exactly, at least ${DRAWN_MIN} samples. For the others \`grad_norm\` is estimated from this share, which costs only a forward pass.`,
        ),
      seed: z
        .int()
        .min(0)
        .optional()
        .describe(
          "Seed for drawing the exact share; default 0. The same samples and seed give the same share.",
        ),
      samples: z.array(sampleSchema(limits)).min(1).max(limits.samplesMax),
    })
    .check(({ value, issues }) => {
      if (value.seed !== undefined && value.exact_fraction === undefined)
        issues.push({
          code: "custom",
          message: "needs exact_fraction: send both, or leave it out",
          path: ["seed"],
          input: value,
        });
      if (value.checkpoint !== undefined && value.dataset === undefined)
        issues.push({
          code: "custom",
          message: "needs dataset, which keeps the logits by checkpoint: send both, or leave it out",
          path: ["checkpoint"],
          input: value,
        });
    });
}

/** The query of a request that streams samples. */
export const scoreQuerySchema = z.strictObject({
  model: modelNameSchema.optional(),
  dataset: datasetSchema.optional(),
  signals: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(BATCH_SIGNALS)).max(BATCH_SIGNALS.length))
    .optional()
    .describe("Names of signals, separated by commas. Default: as in the body."),
  loss: z.enum(LOSSES).optional().describe("Default: the loss of the model's task"),
  precision: z.enum(PRECISIONS).optional().describe("Default: the model's precision"),
  direction: directionNameSchema.optional(),
  reference: modelNameSchema.optional().describe("Name of the model whose loss `rho` subtracts"),
});

function signalFields<N extends string>(names: readonly N[]): Record<N, z.ZodOptional<z.ZodNumber>> {
  return Object.fromEntries(names.map((name) => [name, z.number().optional()])) as Record<
    N,
    z.ZodOptional<z.ZodNumber>
  >;
}

/** A remembered sample's signals. A signal is absent if the sample's label does not allow it, or if nothing computed it. */
export const signalsSchema = z.object(signalFields(SIGNALS));

export const fractionSchema = z
  .object({
    samples: z
      .int()
      .describe("Number of samples behind these figures: the exact share, or all if every gradient is known"),
    spearman: z
      .number()
      .nullable()
      .describe(
        `Rank correlation of \`grad_norm_last\` with \`grad_norm\` over these samples; null for fewer than ${CORRELATED_MIN}`,
      ),
    pearson: z.number().nullable().describe("The same correlation of the values in place of their ranks"),
    relative_error: z.number().describe("One standard error of an estimate, as a fraction of the estimate"),
    grad_norm_sum: z.number().describe("Estimated sum of the batch's gradient norms"),
    grad_norm_sum_error: z.number().describe("One standard error of `grad_norm_sum`"),
    effective_sample_size_error: z
      .number()
      .nullable()
      .describe("One standard error of `effective_sample_size`; null if the weights read no estimate"),
  })
  .describe("With `exact_fraction`: what the exactly scored share says about the whole batch");

export const scoreAnswerSchema = z
  .object({
    model: z.object({
      name: z.string(),
      version: z.string(),
      gradient_scope: z
        .string()
        .optional()
        .describe(
          "If a signal reads gradients: the parameters that they are of, as the model's `gradient_scope` names them",
        ),
    }),
    loss: z.enum(LOSSES),
    preconditioned: z
      .boolean()
      .optional()
      .describe(
        "True if a signal was measured along a direction that was scaled (`PUT /v1/directions/{direction}/scale`)",
      ),
    results: z
      .array(
        z.object({
          id: z.string().nullable(),
          logit: z.number().optional().describe("For a model with one logit"),
          logits: z.array(z.number()).optional().describe("For a model with several logits"),
          ...signalFields(BATCH_SIGNALS),
          estimated: z
            .boolean()
            .optional()
            .describe("With `exact_fraction`: true if `grad_norm` is an estimate from the exact share"),
          grad_norm_error: z
            .number()
            .optional()
            .describe("With `exact_fraction`: one standard error of `grad_norm`; 0 if it is exact"),
          probabilities: z.array(z.number()).optional().describe("For a model with several logits"),
          weight: z.number().nullable(),
          multiplier: z.number().nullable().optional().describe("With role `probability`: 1/(N p)"),
          cached: z.boolean().describe("True if the outputs were in the store"),
          truncated: z
            .boolean()
            .describe("True if the sample is longer than the model takes and was cut, longest text first"),
        }),
      )
      .describe("In the order of the samples"),
    diagnostics: diagnosticsSchema.extend({
      cache_hits: z.number().int(),
      exact_share: fractionSchema.optional(),
    }),
  })
  .describe("Each sample's results, and diagnostics of the batch");

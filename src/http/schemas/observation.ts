import { z } from "zod";
import { LOSSES } from "../../importance/types.js";
import { OBSERVED_MODEL, OBSERVED_MODES } from "../../scoring/datasets/observe.js";
import type { Limits } from "../../scoring/requests/limits.js";
import {
  checkpointNameSchema,
  checkpointSchema,
  checkpointStepSchema,
  modelNameSchema,
} from "../../scoring/requests/names.js";
import { observedSampleSchema } from "../../scoring/requests/observed-sample.js";

const modelSchema = modelNameSchema.describe(`Name for the trainer's model; default: ${OBSERVED_MODEL}`);
const lossSchema = z
  .enum(LOSSES)
  .describe(
    "The loss of the trainer. With `pairwise` and `listwise` a group is complete within one request.",
  );
const modeSchema = z
  .enum(OBSERVED_MODES)
  .describe("The mode of the model when it gave the outputs: with dropout (`train`) or without (`eval`)");

/** The body of an observation as JSON. */
export function observationBodySchema(limits: Limits) {
  return z.strictObject({
    model: modelSchema.optional(),
    checkpoint: checkpointSchema.describe(
      "The checkpoint that gave the outputs. Posts of single steps name the checkpoint of their epoch, so that the last post of a sample in an epoch counts.",
    ),
    loss: lossSchema,
    mode: modeSchema,
    samples: z.array(observedSampleSchema(limits)).min(1).max(limits.samplesMax),
  });
}

/** The query of an observation as JSON lines. */
export const observationQuerySchema = z.strictObject({
  model: modelSchema.optional(),
  checkpoint: checkpointNameSchema.optional(),
  step: z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number of at least 0")
    .transform(Number)
    .pipe(checkpointStepSchema)
    .optional(),
  loss: lossSchema.optional(),
  mode: modeSchema.optional(),
});

export const observationAnswerSchema = z
  .object({
    dataset: z.string(),
    model: z.string(),
    checkpoint: z.object({ name: z.string(), step: z.number().int() }),
    samples: z.number().int().describe("Number of samples that were written"),
    late: z
      .number()
      .int()
      .describe(
        "How many of them keep their history as it was, because it has already merged a checkpoint of this step or a later one",
      ),
  })
  .describe("What was observed");

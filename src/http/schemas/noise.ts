import { z } from "zod";
import { EVIDENCE } from "../../scoring/noise/evidence.js";
import type { SampleLimits } from "../../scoring/requests/limits.js";
import { checkpointNameSchema, idSchema } from "../../scoring/requests/names.js";

/** Most ids of planted flips. */
const PLANTED_MAX = 100_000;
/** Most suspects of an answer. */
const SUSPECTS_MAX = 10_000;
const SUSPECTS_DEFAULT = 100;
/** The usual name of the checkpoint of held-out logits (out of fold). */
const HELD_OUT = "oof";
const RECALL_DEFAULT = 0.8;

export function noiseBodySchema(limits: SampleLimits) {
  return z
    .strictObject({
      evidence: z
        .enum(EVIDENCE)
        .optional()
        .describe(
          "Where the probability of each label comes from. `held_out`: logits of a model that has not seen the sample, under `checkpoint`. `history`: the mean over the checkpoints. `newest`: the newest logits. Default: the first of these that the dataset has.",
        ),
      checkpoint: checkpointNameSchema.default(HELD_OUT).describe("The checkpoint of the held-out logits"),
      planted: z
        .array(idSchema(limits))
        .max(PLANTED_MAX)
        .default([])
        .describe("Ids of samples whose labels were flipped on purpose before the training"),
      recall: z
        .number()
        .gt(0)
        .max(1)
        .default(RECALL_DEFAULT)
        .describe("The share of the planted ids that the threshold finds"),
      limit: z.int().min(0).max(SUSPECTS_MAX).default(SUSPECTS_DEFAULT).describe("Most suspects to answer"),
    })
    .meta({ id: "Noise", description: "Which labels to suspect, and by what" });
}

const labelSchema = z.number().int().min(0).max(1);
const chanceSchema = z.number().min(0).max(1);

const rateSchema = z.object({
  true_label: labelSchema,
  rate: chanceSchema.describe("How often samples of this true label carry the other"),
  low: chanceSchema.describe("Lower end of the 95% interval of the share among the anchors"),
  high: chanceSchema.describe("Upper end"),
  anchors: z.number().int().describe("Samples from which it was read"),
  used: chanceSchema
    .nullable()
    .describe(
      "The rate that noise is computed with: the end of the interval that is nearer to the other rate. Null if the labels are ranked by loss.",
    ),
});

const wrongSchema = z.object({
  count: z.number().min(0),
  low: z.number().min(0).describe("Lower end of the 95% interval, a bootstrap over the groups"),
  high: z.number().min(0).describe("Upper end"),
});

const plantedSchema = z.object({
  planted: z.number().int().describe("Planted ids that were ranked"),
  unknown: z.number().int().describe("Planted ids that were not"),
  threshold: chanceSchema.describe("Samples with at least this noise are flagged"),
  flagged: z.number().int().describe("Samples that the threshold flags, planted or not"),
  recall: z
    .array(z.object({ label: labelSchema, planted: z.number().int(), recall: chanceSchema.nullable() }))
    .describe("The share of the planted ids that is flagged, by the label that was planted"),
});

const suspectSchema = z.object({
  id: z.string(),
  label: labelSchema,
  source: z.string().nullable(),
  noise: chanceSchema.describe(
    "Method `rates`: the chance that the label is wrong. Method `loss`: 1 − the model's probability of the label.",
  ),
  confidence: chanceSchema.describe("The model's probability of the label"),
  suggested_label: labelSchema.describe("The likelier label"),
  suggested_probability: chanceSchema.describe("How likely it is: noise, or 1 − noise"),
  reason: z.string().describe("In words"),
});

export const noiseAnswerSchema = z
  .object({
    dataset: z.string(),
    evidence: z.enum(EVIDENCE),
    method: z
      .enum(["rates", "loss"])
      .describe("What ranks the labels: the chance that each is wrong under the two rates, or the loss"),
    reason: z.string().describe("Why this method, in words"),
    rates: z.array(rateSchema).nullable().describe("One for each true label; null for too few samples"),
    wrong_labels: wrongSchema.nullable().describe("Estimated number of wrong labels; null without rates"),
    samples: z.number().int().describe("Samples that were ranked"),
    without_label: z.number().int().describe("Samples that were left out: their label is not 0 or 1"),
    without_evidence: z.number().int().describe("Samples that were left out: they lack the evidence"),
    planted: plantedSchema.nullable().describe("Null if no planted id was ranked"),
    suspects: z
      .array(suspectSchema)
      .nullable()
      .describe("The most suspicious first. Null in a list of jobs: read the job itself."),
    advice: z.array(z.string()),
  })
  .meta({ id: "NoiseAnswer", description: "The labels of a dataset that may be wrong" });

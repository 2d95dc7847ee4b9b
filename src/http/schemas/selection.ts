import { z } from "zod";
import { SELECTIONS } from "../../importance/selection/types.js";
import { timeSchema } from "./dataset.js";
import { embeddingOriginSchema, hashedIdsSchema } from "./dataset-settings.js";

const stratumSchema = z.object({
  stratum: z.string().nullable().describe("Null: the samples without a class, group or source"),
  candidates: z.number().int(),
  size: z.number().describe("Samples, draws or expected samples that it was to give"),
  selected: z.number().int().describe("Different samples that it gave"),
});

export const selectedSampleSchema = z.object({
  id: z.string(),
  count: z.number().int().describe("How often the sample was drawn; 1 except with `sample`"),
  probability: z
    .number()
    .nullable()
    .describe(
      "`sample`: the chance that one draw takes the sample. `poisson`, `infobatch`: the chance that it is selected. Null for the other methods.",
    ),
  multiplier: z
    .number()
    .nullable()
    .describe(
      "What a trainer multiplies the sample's loss by, each time that it uses it; null for the other methods",
    ),
});

export const selectionFactsSchema = z.object({
  dataset: z.string(),
  hashed_ids: hashedIdsSchema,
  method: z.enum(SELECTIONS),
  signal: z.string().nullable(),
  seed: z.union([z.number().int(), z.string()]),
  snapshot: z
    .number()
    .int()
    .nullable()
    .describe("The snapshot whose weights were the scores; null if a signal was"),
  models: z
    .array(z.string())
    .describe("`name@version` of each model whose scores the dataset's samples have"),
  losses: z.array(z.string()),
  selected_at: timeSchema,
  samples_in_dataset: z.number().int(),
  candidates: z.number().int().describe("Samples that could be selected"),
  without_score: z
    .number()
    .int()
    .describe("Samples that were left out because they lack the signal or weight"),
  embedding: embeddingOriginSchema
    .nullable()
    .describe("What made the embeddings that were read; null if the method reads none"),
  without_embedding: z
    .number()
    .int()
    .nullable()
    .describe(
      "Samples of the dataset that could not be selected because they have no embedding of that model; null if the method reads none",
    ),
  selected: z.number().int().describe("Different samples that were selected"),
  divisor: z
    .number()
    .nullable()
    .describe(
      "D in the estimate Σ count·multiplier·x / D of the mean of x over the candidates: the draws, the expected size, or with `infobatch` the candidates. Null for methods without multipliers.",
    ),
  never_drawn: z
    .number()
    .int()
    .nullable()
    .describe("Candidates that had no chance, because their score or quota is 0"),
  strata: z.array(stratumSchema).nullable().describe("Null without `stratify_by`, and in a list of jobs"),
  advice: z.array(z.string()),
});

export const selectAnswerSchema = selectionFactsSchema
  .extend({
    samples: z
      .array(selectedSampleSchema)
      .nullable()
      .describe("The samples selected. Null in a list of jobs: read the job itself."),
  })
  .meta({ id: "SelectionAnswer", description: "What was selected, and from what" });

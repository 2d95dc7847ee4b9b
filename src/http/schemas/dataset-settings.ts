import { z } from "zod";
import { EMBEDDING_BYTES_MAX, EMBEDDING_DEFAULTS } from "../../scoring/datasets/settings.js";
import { EMBEDDING_TYPES } from "../../store/dataset-records.js";

const typeSchema = z
  .enum(EMBEDDING_TYPES)
  .describe(
    "`int8`: a byte for each value, with a scale for each embedding. `float16`: two bytes for each value.",
  );

/** What a dataset is to keep. */
export const datasetSettingsSchema = z
  .strictObject({
    embedding: z
      .strictObject({
        type: typeSchema.default(EMBEDDING_DEFAULTS.type),
        bytes_max: z
          .int()
          .min(0)
          .max(EMBEDDING_BYTES_MAX)
          .default(EMBEDDING_DEFAULTS.bytesMax)
          .describe(
            "Most bytes that the embeddings of the dataset may take together. Beyond, samples are scored without keeping one.",
          ),
      })
      .nullable()
      .exactOptional()
      .describe(
        "Keep an embedding of each sample that is scored from now on: selection for diversity reads them. Null: keep none, and delete those that are kept. Another type deletes them too. Absent: as it is. An embedding can reveal words of its text.",
      ),
    hashed_ids: z
      .boolean()
      .exactOptional()
      .describe(
        "Keep a keyed hash instead of each sample's id. Look-ups, deletions and exclusion lists still take the id; lists, selections and exports have the hash. Only a dataset without samples changes it: afterwards another value is refused with 409. Absent: as it is, at first false.",
      ),
  })
  .meta({ id: "DatasetSettings", description: "What a dataset keeps beside signals, weights and histories" });

export const hashedIdsSchema = z
  .boolean()
  .describe("Whether the dataset keeps keyed hashes instead of ids. Its lists have the hashes then.");

/** What made embeddings. */
export const embeddingOriginSchema = z.object({
  model: z.string().describe("`name@version`"),
  after: z.string().describe("The place in the model whose mean over the tokens it is"),
  size: z.number().int().describe("Number of values"),
});

export const keptEmbeddingSchema = z.object({
  type: typeSchema,
  bytes_max: z.number().int(),
  bytes: z.number().int().describe("What the embeddings of the dataset take"),
  samples: z.number().int().describe("Samples that have an embedding of the newest model"),
  of: embeddingOriginSchema.nullable().describe("The model that made these; null if there are none yet"),
  outdated: z
    .number()
    .int()
    .describe(
      "Samples whose embedding an earlier model made. Nothing reads it, and the next scoring replaces it.",
    ),
});

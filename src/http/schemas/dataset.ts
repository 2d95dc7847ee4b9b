import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { OBSERVED_MODES } from "../../scoring/datasets/observe.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { datasetSchema, idSchema } from "../../scoring/requests/names.js";
import { weightingSchema } from "../../scoring/requests/weighting-schema.js";
import { CHECKPOINTS_KEPT } from "../../store/dataset-records.js";
import { hashedIdsSchema, keptEmbeddingSchema } from "./dataset-settings.js";
import { diagnosticsSchema } from "./diagnostics.js";
import { signalsSchema } from "./score.js";

export const datasetParamsSchema = z.strictObject({ dataset: datasetSchema });
export function sampleParamsSchema(limits: Limits) {
  return z.strictObject({ dataset: datasetSchema, id: idSchema(limits) });
}

/** A cursor is a name in base64url. A damaged one must be refused, because it would skip or repeat pages. */
function isCursor(text: string): boolean {
  const bytes = Buffer.from(text, "base64url");
  return bytes.length > 0 && isUtf8(bytes) && bytes.toString("base64url") === text;
}

const cursorSchema = z
  .string()
  .max(1024)
  .refine(isCursor, "is not the next_cursor of a page: send one as it was answered");
export const timeSchema = z.iso.datetime().describe("UTC");

export const snapshotSchema = z
  .object({
    version: z.number().int(),
    as_of: timeSchema,
    samples: z.number().int(),
    weight_sum: z
      .number()
      .nullable()
      .describe(
        "Sum of the weights of its samples that are still there. A snapshot never changes, so deletions lower the sum, and the next snapshot has the full sum again. Null for a snapshot that an earlier version made.",
      ),
    provenance: z
      .record(z.string(), z.unknown())
      .describe("What the weights were made from: weighting, models, losses, directions and diagnostics"),
  })
  .meta({ id: "Snapshot", description: "One weighting of a whole dataset" });

export const datasetSummarySchema = z
  .object({
    dataset: z.string(),
    samples: z.number().int(),
    created_at: timeSchema,
    updated_at: timeSchema,
    models: z.array(z.string()).describe("`name@version` of each model whose scores the samples have now"),
    samples_by_model: z
      .record(z.string(), z.number().int())
      .describe("How many samples have the scores of each of these models"),
    samples_by_source: z
      .record(z.string(), z.number().int())
      .describe("How many samples come from each source. Samples without a source are left out."),
    snapshot: snapshotSchema.nullable(),
    embedding: keptEmbeddingSchema
      .nullable()
      .describe("The embeddings that the dataset keeps; null if it is not to keep any"),
    hashed_ids: hashedIdsSchema,
  })
  .meta({ id: "Dataset", description: "A dataset and its counts" });

/** A query holds text. Only digits are read as a number, because `Number` would read blanks as 0 and `0x10` as 16. */
export function wholeNumberQuery<T extends z.ZodType>(schema: T) {
  return z.preprocess((text, { issues }) => {
    if (typeof text !== "string") return text;
    if (/^\d+$/.test(text)) return Number(text);
    issues.push({ code: "custom", message: "must be a whole number, written in digits", input: text });
    return z.NEVER;
  }, schema);
}

export const limitSchema = wholeNumberQuery(z.int().min(1).max(1000).default(100));

/** Which page of a list a request asks for. */
export const pageQuerySchema = z.strictObject({
  cursor: cursorSchema.optional(),
  limit: limitSchema,
});
export const datasetListSchema = z
  .object({
    datasets: z.array(datasetSummarySchema),
    next_cursor: z
      .string()
      .nullable()
      .describe("Send it as `cursor` for the next page; null on the last page"),
  })
  .describe("A page of datasets, in the order of their names");

export const snapshotListSchema = z
  .object({ snapshots: z.array(snapshotSchema) })
  .describe("The snapshots that are kept, the newest first: at least four, if there were so many");

const rememberedSchema = signalsSchema.extend({
  id: z.string(),
  kept_id: z
    .string()
    .optional()
    .describe(
      "What lists, selections and exports have instead of the id, if the dataset keeps keyed hashes. Absent: the id itself.",
    ),
  weight: z
    .number()
    .nullable()
    .describe(
      "Weight in the dataset's newest snapshot, to 7 digits; the sum of the snapshot's weights is exact to float64. Null: the dataset has no snapshot, or the sample came later without the signals that the weighting reads.",
    ),
  later: z
    .boolean()
    .optional()
    .describe(
      "True if the sample came after the snapshot: its weight is what the snapshot's weighting gives to its signals. With later samples, the weights sum to more than `weight_sum`. Absent: false.",
    ),
  stale: z.boolean().describe("True if the sample was scored by a model version that is no longer served"),
  observed: z
    .enum(OBSERVED_MODES)
    .nullable()
    .describe(
      "Mode of the trainer's model if the newest outputs were observed by a trainer; null if a model of this service gave them",
    ),
});

export const historySchema = z
  .object({
    checkpoints: z
      .array(
        z.object({
          name: z.string(),
          step: z.number().int(),
          logits: z.array(z.number()).describe("In float16"),
        }),
      )
      .describe(`The newest checkpoints, at most ${CHECKPOINTS_KEPT}, in the order of their steps`),
    merged: z
      .object({
        checkpoints: z.number().int(),
        through: z.object({ name: z.string(), step: z.number().int() }).describe("The last of them"),
      })
      .nullable()
      .describe(
        "How many older checkpoints there were, of which only sums are kept; null if there were none",
      ),
  })
  .describe("The sample's logits by checkpoint");

export function lookUpBodySchema(limits: Limits) {
  return z.strictObject({
    ids: z.array(idSchema(limits)).min(1).max(limits.idsMax),
    snapshot: z
      .int()
      .min(1)
      .optional()
      .describe("Version of the snapshot of the weights, one of those that are kept; by default the newest"),
  });
}
export const lookUpAnswerSchema = z
  .object({
    dataset: z.string(),
    as_of: timeSchema.nullable().describe("Time of the snapshot that the weights come from"),
    snapshot: z.number().int().nullable(),
    weight_sum: z
      .number()
      .nullable()
      .describe("Sum of the snapshot's weights whose samples are still there: see `Snapshot`"),
    results: z
      .array(rememberedSchema.nullable())
      .describe("In the order of the ids; null for each id that the dataset does not have"),
  })
  .describe("Weights and signals by id");

/** What a dataset remembers of one sample. */
export const rememberedFieldsSchema = rememberedSchema.extend({
  label: z.union([z.number(), z.array(z.number())]).nullable(),
  group: z
    .string()
    .nullable()
    .describe(
      "A keyed digest of the group, in hex: equal for the samples of a group. Samples that an earlier version wrote have the group itself until the store is upgraded.",
    ),
  source: z.string().nullable(),
  extras: z.record(z.string(), z.number()).describe("The extras that were sent, in float32"),
  loss_name: z.string().describe("The loss that the signals were computed with"),
  model: z.string().describe("`name@version`, or the name under which a trainer posted outputs"),
  earlier: z
    .record(z.string(), z.string())
    .describe("The signals that an earlier model computed, with that model"),
  text_digest: z
    .string()
    .nullable()
    .describe("A keyed digest of the text, in hex: equal for equal texts of this store. Null: unknown."),
  scored_at: timeSchema,
});

export const sampleAnswerSchema = rememberedFieldsSchema
  .extend({ dataset: z.string(), as_of: timeSchema.nullable(), history: historySchema.nullable() })
  .describe("What the dataset remembers about the sample");

export const weighBodySchema = z.strictObject({ weighting: weightingSchema });
export const weighAnswerSchema = z
  .object({ snapshot: snapshotSchema, diagnostics: diagnosticsSchema })
  .describe("The new snapshot and the diagnostics of its weights");

import { z } from "zod";
import { learnedPartSchema } from "./learned-part.js";

/** Digest and size of a file of the folder. */
export const fileSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
});

/** One element of the template that joins texts: a special token's id, or the place of the first or second text. */
const templateSchema = z.array(z.union([z.number().int().nonnegative(), z.enum(["A", "B"])])).min(1);

const scaleSchema = z.object({ offset: z.number().int(), length: z.number().int(), axis: z.number().int() });

const parameterSchema = z.strictObject({
  name: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  dtype: z.enum(["float32", "int8"]),
  offset: z.number().int().nonnegative(),
  length: z.number().int().nonnegative(),
  layout: z.enum(["as_is", "transposed"]),
  scale: scaleSchema.nullable(),
});

/** Where one parameter lies in `weights.bin`. */
export type Parameter = z.infer<typeof parameterSchema>;

/** The part of the manifest that belongs to the weights: a new checkpoint of the same architecture brings its own. */
export const weightsPartSchema = z.strictObject({
  parameters: z.array(parameterSchema),
  precision: z.record(z.string(), z.unknown()),
  self_test: z.strictObject({
    tolerance: z.number().positive(),
    samples: z
      .array(
        z.union([
          z.strictObject({ query: z.string(), document: z.string(), logits: z.array(z.number()) }),
          z.strictObject({ text: z.string(), logits: z.array(z.number()) }),
        ]),
      )
      .min(1),
  }),
  provenance: z.record(z.string(), z.unknown()),
  metrics: z.record(z.string(), z.unknown()),
});

/**
 * `model.json`, format 1. What each field means stands in models/README.md. Unknown fields are refused in the parts that
 * decide how the model runs; `provenance`, `metrics` and `precision` are free-form, for people.
 */
export const manifestSchema = z
  .strictObject({
    format: z.literal(1),
    name: z.string().min(1).max(128),
    task: z.enum(["binary", "regression", "classification"]),
    classes: z.number().int().min(1).max(1024),
    class_names: z.array(z.string()).nullish(),
    max_tokens: z.number().int().min(8),
    architecture: z.looseObject({ family: z.string(), hidden_size: z.number().int().positive() }),
    padding: z.strictObject({
      id: z.number().int().nonnegative(),
      type_id: z.number().int().nonnegative(),
      side: z.literal("right"),
    }),
    inputs: z.array(z.enum(["input_ids", "attention_mask", "token_type_ids"])).min(2),
    pair: z.strictObject({
      single: templateSchema,
      pair: templateSchema,
      single_type_ids: z.array(z.number().int().nonnegative()),
      pair_type_ids: z.array(z.number().int().nonnegative()),
    }),
    files: z.record(z.string().regex(/^[\w.-]+$/), fileSchema),
    graphs: z.strictObject({
      forward: z.string(),
      "forward.int8": z.string().optional(),
      norms: z.string().optional(),
      tangent: z.string().optional(),
      accumulate: z.string().optional(),
    }),
    // Without names where the folder was imported from an ONNX file: its graph holds the weights, `parameters` is empty.
    head: z.strictObject({
      weight: z.string().nullable(),
      bias: z.string().nullable(),
      features: z.number().int().positive(),
    }),
    ...weightsPartSchema.shape,
    learned: learnedPartSchema.optional(),
    licence: z.record(z.string(), z.unknown()),
  })
  .refine((m) => (m.task === "classification") === m.classes > 1, {
    path: ["classes"],
    message: "classification has several classes, every other task one",
  })
  .refine((m) => m.pair.single.length === m.pair.single_type_ids.length, {
    path: ["pair", "single_type_ids"],
  })
  .refine((m) => m.pair.pair.length === m.pair.pair_type_ids.length, { path: ["pair", "pair_type_ids"] })
  .refine((m) => Object.values(m.graphs).every((graph) => graph === undefined || graph in m.files), {
    path: ["graphs"],
    message: "a graph is not among the files",
  })
  .refine(({ learned, files }) => learned === undefined || learned.file in files, {
    path: ["learned", "file"],
    message: "is not among the files",
  })
  .refine(
    ({ learned, head }) => learned === undefined || [0, head.features].includes(learned.inputs.features),
    {
      path: ["learned", "inputs", "features"],
      message: "is neither 0 nor the width of the last layer's input",
    },
  );

export type Manifest = z.infer<typeof manifestSchema>;

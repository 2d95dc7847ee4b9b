import { z } from "zod";
import { freeFormSchema, isBounded, listOf } from "./bounded.js";
import { learnedPartSchema } from "./learned-part.js";

/** The one file that holds weights. */
export const WEIGHTS_FILE = "weights.bin";
/** What the tokeniser is read from. */
export const TOKENISER_FILE = "tokenizer.json";
/**
 * Raised when the same file gives other tokens than before, so that outputs of the old ones are not taken from a cache. 1 was the
 * JavaScript port of Hugging Face's library, 2 is the library.
 */
export const TOKENISATION = 2;
/** Every start and every reload runs the self-test. */
const SELF_TEST_SAMPLES_MAX = 64;
const SELF_TEST_CHARACTERS_MAX = 2 ** 20;
const CLASSES_MAX = 1024;
const TOKENS_MAX = 2 ** 20;
const TEMPLATE_MAX = 64;
const PARAMETERS_MAX = 20_000;

/** Digest and size of a file of the folder. */
export const fileSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
});

/** No path leads out of the folder, and none to a hidden file. */
const fileNameSchema = z.string().regex(/^[\w-][\w.-]*$/);

/** One element of the template that joins texts: a special token's id, or the place of the first or second text. */
const templateSchema = listOf(z.union([z.number().int().nonnegative(), z.enum(["A", "B"])]), {
  min: 1,
  max: TEMPLATE_MAX,
});
const typeIdsSchema = listOf(z.number().int().nonnegative(), { max: TEMPLATE_MAX });

const scaleSchema = z.object({
  offset: z.number().int().nonnegative(),
  length: z.number().int().nonnegative(),
  axis: z.number().int(),
});

const parameterSchema = z.strictObject({
  name: z.string().min(1).max(512),
  shape: listOf(z.number().int().nonnegative(), { max: 8 }),
  dtype: z.enum(["float32", "int8"]),
  offset: z.number().int().nonnegative(),
  length: z.number().int().nonnegative(),
  layout: z.enum(["as_is", "transposed"]),
  scale: scaleSchema.nullable(),
});

/** Where one parameter lies in `weights.bin`. */
export type Parameter = z.infer<typeof parameterSchema>;

/** What a model is called. */
export const nameSchema = z.string().min(1).max(128);

const logitsSchema = listOf(z.number(), { max: CLASSES_MAX });

/** The part of the manifest that belongs to the weights: a new checkpoint of the same architecture brings its own. */
export const weightsPartSchema = z.strictObject({
  parameters: listOf(parameterSchema, { max: PARAMETERS_MAX }),
  precision: freeFormSchema,
  self_test: z.strictObject({
    tolerance: z.number().positive(),
    samples: listOf(
      z.union([
        z.strictObject({ query: z.string(), document: z.string(), logits: logitsSchema }),
        z.strictObject({ text: z.string(), logits: logitsSchema }),
      ]),
      { min: 1, max: SELF_TEST_SAMPLES_MAX },
    ).refine((samples) => charactersOf(samples) <= SELF_TEST_CHARACTERS_MAX, {
      message: `has texts of more than ${SELF_TEST_CHARACTERS_MAX} characters together`,
    }),
  }),
  provenance: freeFormSchema,
  metrics: freeFormSchema,
});

type SelfTestSample = { readonly text: string } | { readonly query: string; readonly document: string };

function charactersOf(samples: readonly SelfTestSample[]): number {
  return samples.reduce(
    (sum, sample) =>
      sum + ("text" in sample ? sample.text.length : sample.query.length + sample.document.length),
    0,
  );
}

/**
 * `model.json`, format 1. What each field means stands in models/README.md. Unknown fields are refused in the parts that
 * decide how the model runs; `provenance`, `metrics` and `precision` are free-form, for people.
 */
export const manifestSchema = z
  .strictObject({
    format: z.literal(1),
    name: nameSchema,
    task: z.enum(["binary", "regression", "classification"]),
    classes: z.number().int().min(1).max(CLASSES_MAX),
    class_names: listOf(z.string().max(256), { max: CLASSES_MAX }).nullish(),
    max_tokens: z.number().int().min(8).max(TOKENS_MAX),
    architecture: z
      .looseObject({ family: z.string(), hidden_size: z.number().int().positive() })
      .refine(isBounded, { message: "is too large" }),
    padding: z.strictObject({
      id: z.number().int().nonnegative(),
      type_id: z.number().int().nonnegative(),
      side: z.literal("right"),
    }),
    inputs: listOf(z.enum(["input_ids", "attention_mask", "token_type_ids"]), { min: 2, max: 3 }),
    pair: z.strictObject({
      single: templateSchema,
      pair: templateSchema,
      single_type_ids: typeIdsSchema,
      pair_type_ids: typeIdsSchema,
    }),
    files: z.record(fileNameSchema, fileSchema),
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
    licence: freeFormSchema,
  })
  .refine((m) => (m.task === "classification") === m.classes > 1, {
    path: ["classes"],
    message: "classification has several classes, every other task one",
  })
  .refine((m) => m.pair.single.length === m.pair.single_type_ids.length, {
    path: ["pair", "single_type_ids"],
  })
  .refine((m) => m.pair.pair.length === m.pair.pair_type_ids.length, { path: ["pair", "pair_type_ids"] })
  .refine(
    (m) => Object.values(m.graphs).every((graph) => graph === undefined || Object.hasOwn(m.files, graph)),
    {
      path: ["graphs"],
      message: "a graph is not among the files",
    },
  )
  .refine(({ files }) => Object.hasOwn(files, TOKENISER_FILE), {
    path: ["files"],
    message: `lacks ${TOKENISER_FILE}: every file that is read has its digest here`,
  })
  .refine(({ files, parameters }) => parameters.length === 0 || Object.hasOwn(files, WEIGHTS_FILE), {
    path: ["files"],
    message: `lacks ${WEIGHTS_FILE}, where the parameters lie`,
  })
  .refine(({ files, parameters }) => parameters.every((parameter) => lies(parameter, files[WEIGHTS_FILE])), {
    path: ["parameters"],
    message: `one does not lie in ${WEIGHTS_FILE} with the bytes that its shape asks for`,
  })
  .refine(({ learned, files }) => learned === undefined || Object.hasOwn(files, learned.file), {
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

const BYTES_PER_VALUE = { float32: 4, int8: 1 } as const;

/** Whether a parameter has the bytes that its shape asks for, and they and its scales lie in the file. */
function lies(
  { shape, dtype, offset, length, scale }: Parameter,
  file: z.infer<typeof fileSchema> | undefined,
): boolean {
  const bytes = shape.reduce((count, size) => count * size, BYTES_PER_VALUE[dtype]);
  const end = Math.max(offset + length, scale === null ? 0 : scale.offset + scale.length);
  return file !== undefined && bytes === length && end <= file.bytes;
}

export type Manifest = z.infer<typeof manifestSchema>;

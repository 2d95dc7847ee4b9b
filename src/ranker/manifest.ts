import { z } from "zod";
import { freeFormSchema, isBounded, listOf } from "./bounded.js";
import { learnedPartSchema } from "./learned-part.js";

/** The one file that holds weights. */
export const WEIGHTS_FILE = "weights.bin";
/** The file of the tokeniser. */
export const TOKENISER_FILE = "tokenizer.json";
/**
 * The version of the tokenisation. Raise it when the same file gives other tokens than before, so that the cache does not answer
 * with outputs of the old tokens. 1 was the JavaScript port of Hugging Face's library, 2 is the library itself.
 */
export const TOKENISATION = 2;
/** The self-test has limits because every start and every reload runs it. */
const SELF_TEST_SAMPLES_MAX = 64;
const SELF_TEST_CHARACTERS_MAX = 2 ** 20;
const CLASSES_MAX = 1024;
const TOKENS_MAX = 2 ** 20;
const TEMPLATE_MAX = 64;
const PARAMETERS_MAX = 20_000;
const SCOPE_NAME_MAX = 256;
/** The name of the gradient scope of every parameter. */
export const ALL_PARAMETERS = "all";

/** Digest and size of a file of the folder. */
export const fileSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
});

/** A file name that cannot lead out of the folder and is not hidden. */
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

/** The name of a model. */
export const nameSchema = z.string().min(1).max(128);

const logitsSchema = listOf(z.number(), { max: CLASSES_MAX });

/** The part of the manifest that belongs to the weights. A new checkpoint of the same architecture has its own part. */
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
      message: `has more than ${SELF_TEST_CHARACTERS_MAX} characters of text in total`,
    }),
  }),
  provenance: freeFormSchema,
  metrics: freeFormSchema,
});

/**
 * The parameters that the gradient graphs are of, in the manifest's order. `all` does not list them. The exporters before this
 * field knew only `all` and wrote none.
 */
const gradientScopeSchema = z.union([
  z.strictObject({ name: z.literal(ALL_PARAMETERS) }),
  z.strictObject({
    name: z.string().min(1).max(SCOPE_NAME_MAX),
    parameters: listOf(z.string().min(1).max(512), { min: 1, max: PARAMETERS_MAX }),
  }),
]);

type SelfTestSample = { readonly text: string } | { readonly query: string; readonly document: string };

function charactersOf(samples: readonly SelfTestSample[]): number {
  return samples.reduce(
    (sum, sample) =>
      sum + ("text" in sample ? sample.text.length : sample.query.length + sample.document.length),
    0,
  );
}

/**
 * `model.json`, format 1. models/README.md explains each field. The parts that decide how the model runs refuse unknown fields.
 * `provenance`, `metrics` and `precision` are free-form, for people.
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
    // What the forward graph computes, however it is drawn: see `versionOf`. Exporters before this field wrote none.
    function: z.string().min(1).max(128).optional(),
    files: z.record(fileNameSchema, fileSchema),
    graphs: z.strictObject({
      forward: z.string(),
      "forward.int8": z.string().optional(),
      norms: z.string().optional(),
      tangent: z.string().optional(),
      accumulate: z.string().optional(),
      attribution: z.string().optional(),
    }),
    gradient_scope: gradientScopeSchema.optional(),
    // Absent if the graphs have no output `embedding`: those of earlier exporters, and imported ones.
    embedding: z
      .strictObject({ size: z.number().int().positive(), after: z.string().min(1).max(64) })
      .optional(),
    // The names are null if the folder was imported from an ONNX file. Then the graph holds the weights and `parameters` is
    // empty.
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
    message: "classification needs several classes, and every other task needs one",
  })
  .refine((m) => m.pair.single.length === m.pair.single_type_ids.length, {
    path: ["pair", "single_type_ids"],
    message: "must be as long as single",
  })
  .refine((m) => m.pair.pair.length === m.pair.pair_type_ids.length, {
    path: ["pair", "pair_type_ids"],
    message: "must be as long as pair",
  })
  .refine(
    (m) => Object.values(m.graphs).every((graph) => graph === undefined || Object.hasOwn(m.files, graph)),
    {
      path: ["graphs"],
      message: "names a graph that is not among the files",
    },
  )
  .refine(({ files }) => Object.hasOwn(files, TOKENISER_FILE), {
    path: ["files"],
    message: `lacks ${TOKENISER_FILE}: the digest of every file that is read is needed here`,
  })
  .refine(({ files, parameters }) => parameters.length === 0 || Object.hasOwn(files, WEIGHTS_FILE), {
    path: ["files"],
    message: `lacks ${WEIGHTS_FILE}, where the parameters lie`,
  })
  .refine(({ files, parameters }) => parameters.every((parameter) => lies(parameter, files[WEIGHTS_FILE])), {
    path: ["parameters"],
    message: `has a parameter that is outside of ${WEIGHTS_FILE} or whose length does not match its shape`,
  })
  .refine((m) => isSubsequence(scopeNames(m), m.parameters), {
    path: ["gradient_scope", "parameters"],
    message: "names a parameter that is not among the parameters, or not in their order",
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

/** Whether a parameter has as many bytes as its shape needs, and its bytes and scales lie inside the file. */
function lies(
  { shape, dtype, offset, length, scale }: Parameter,
  file: z.infer<typeof fileSchema> | undefined,
): boolean {
  const bytes = shape.reduce((count, size) => count * size, BYTES_PER_VALUE[dtype]);
  const end = Math.max(offset + length, scale === null ? 0 : scale.offset + scale.length);
  return file !== undefined && bytes === length && end <= file.bytes;
}

/** Whether the names are among those of the parameters, in the same order. */
function isSubsequence(names: readonly string[], parameters: readonly Parameter[]): boolean {
  let at = 0;
  for (const { name } of parameters) if (name === names[at]) at++;
  return at === names.length;
}

type GradientScope = z.infer<typeof gradientScopeSchema>;

/** The names that a gradient scope lists; none for `all`. */
export function scopeNames({
  gradient_scope: scope,
}: {
  readonly gradient_scope?: GradientScope | undefined;
}): readonly string[] {
  return scope !== undefined && "parameters" in scope ? scope.parameters : [];
}

export type Manifest = z.infer<typeof manifestSchema>;

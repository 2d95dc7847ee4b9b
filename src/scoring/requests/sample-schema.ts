import { z } from "zod";
import type { SampleLimits } from "./limits.js";
import { extraNameSchema, groupSchema, idSchema, LONE_SURROGATE, sourceSchema } from "./names.js";
import type { Sample } from "./sample.js";

/** Largest label of a regression. Its squared error still fits float32, in which signals are kept. */
const LABEL_MAX = 1e9;

/** Largest reference loss: above the squared error of the largest label. */
const LOSS_MAX = 1e30;

/** Most probabilities in one label: the most classes that a model may have. */
export const CLASSES_MAX = 1024;

/** Most named numbers of one sample. */
const EXTRAS_MAX = 64;

const LABEL_MEANING =
  "For a model with one logit: a number from 0 to 1 (bce), any number (mse, pairwise), or a grade of at least 0 (listwise). For a model with K logits: a class index, or a list of K probabilities.";

export const labelSchema = z
  .union([z.number().min(-LABEL_MAX).max(LABEL_MAX), z.array(z.number()).max(CLASSES_MAX)], {
    error: `must be a number from -${LABEL_MAX} to ${LABEL_MAX}, or a list of K probabilities, at most ${CLASSES_MAX}`,
  })
  .nullable()
  .describe(`${LABEL_MEANING} Null: unlabelled.`);

/** A sample as it is posted or read from a file. */
export function sampleSchema(limits: SampleLimits) {
  const text = z
    .string()
    .max(limits.textCharsMax)
    .check(({ value, issues }) => {
      if (!value.isWellFormed()) issues.push({ code: "custom", message: LONE_SURROGATE, input: value });
    });
  const schema = z
    .strictObject({
      id: idSchema(limits).optional(),
      query: text.optional(),
      document: text.optional(),
      text: text.optional().describe("A single text, in place of `query` and `document`"),
      label: labelSchema.optional().describe(`${LABEL_MEANING} Null or absent: unlabelled.`),
      group: groupSchema(limits).optional(),
      source: sourceSchema.optional(),
      reference_loss: z
        .number()
        .min(0)
        .max(LOSS_MAX)
        .optional()
        .describe(
          "The sample's loss under a reference model, for `rho`. Send it in place of `reference.model`.",
        ),
      extras: extrasSchema.optional(),
    })
    .check(({ value, issues }) => {
      if (!isSample(value)) issues.push({ code: "custom", message: TEXTS_NEEDED, input: value });
    })
    .describe("One training example");
  // A transform could give this type without a cast, but it would copy each sample: a third of the time of all validation.
  return schema as typeof schema & z.ZodType<Sample>;
}

/**
 * Whether the value is plainly a sample: with texts, and at most an id and a label of the usual kind. Of any other value only the
 * schema knows whether it is one. This takes a tenth of the schema's time, which a stream of samples spends on each one alone.
 */
export function isPlainSample(value: unknown, limits: SampleLimits): value is Sample {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  let [texts, pairs] = [0, 0];
  // Without a list of the entries, which would cost as much as all checks.
  for (const name in value) {
    const field: unknown = (value as Readonly<Record<string, unknown>>)[name];
    switch (name) {
      case "text":
      case "query":
      case "document":
        if (typeof field !== "string" || field.length > limits.textCharsMax || !field.isWellFormed())
          return false;
        if (name === "text") texts += 1;
        else pairs += 1;
        break;
      case "id":
        if (!isPlainId(field, limits)) return false;
        break;
      case "label":
        if (!isPlainLabel(field)) return false;
        break;
      default:
        return false;
    }
  }
  return texts === 1 ? pairs === 0 : pairs === 2;
}

/** Whether the value is plainly an id. Of any other value only the schema knows. */
export function isPlainId(value: unknown, { idBytesMax }: Pick<SampleLimits, "idBytesMax">): boolean {
  return typeof value === "string" && value.length <= idBytesMax && PLAIN_ID.test(value);
}

/** Whether the value is a label of one number. */
export function isPlainLabel(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= LABEL_MAX;
}

/** Letters, digits and a few signs; not `.` or `..`. */
const PLAIN_ID = /^[\w:/-][\w:/.-]*$/;

const extrasSchema = z
  .record(extraNameSchema, z.number())
  .refine((extras) => Object.keys(extras).length <= EXTRAS_MAX, `has more than ${EXTRAS_MAX} numbers`)
  .describe(
    `At most ${EXTRAS_MAX} named numbers that the signal \`learned\` or the base of a weighting may read. A dataset remembers them.`,
  );

const TEXTS_NEEDED = "needs query and document, or text in place of both";

function isSample({
  query,
  document,
  text,
}: {
  query?: unknown;
  document?: unknown;
  text?: unknown;
}): boolean {
  return text === undefined
    ? query !== undefined && document !== undefined
    : query === undefined && document === undefined;
}

import { z } from "zod";
import type { SampleLimits } from "./limits.js";
import { groupSchema, idSchema, LONE_SURROGATE } from "./names.js";
import type { Sample } from "./sample.js";

/** Largest label of a regression: its squared error still fits the float32 in which signals are kept. */
const LABEL_MAX = 1e9;

/** Largest loss: that of the largest label, squared, with room. */
const LOSS_MAX = 1e30;

/** Probabilities of one label: as many as a model may have classes. */
const CLASSES_MAX = 1024;

/** Named numbers of one sample. */
const EXTRAS_MAX = 64;

/** A sample as it is posted or stands in a file. */
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
      text: text.optional().describe("In place of query and document"),
      label: z
        .union([z.number().min(-LABEL_MAX).max(LABEL_MAX), z.array(z.number()).max(CLASSES_MAX)], {
          error: `must be a number from -${LABEL_MAX} to ${LABEL_MAX}, or a list of K probabilities, at most ${CLASSES_MAX}`,
        })
        .nullable()
        .optional()
        .describe(
          "One logit: 0, 1 or between (bce), any number (mse, pairwise), a grade of at least 0 (listwise). K logits: a class index or K probabilities.",
        ),
      group: groupSchema(limits).optional(),
      reference_loss: z
        .number()
        .min(0)
        .max(LOSS_MAX)
        .optional()
        .describe("Loss of the sample under a reference model, for `rho`; in place of `reference.model`"),
      extras: extrasSchema.optional(),
    })
    .check(({ value, issues }) => {
      if (!isSample(value)) issues.push({ code: "custom", message: TEXTS_NEEDED, input: value });
    })
    .describe("One training example");
  // A transform would say so by itself, at the cost of a copy of each sample: a third of the time of all validation.
  return schema as typeof schema & z.ZodType<Sample>;
}

const extrasSchema = z
  .record(z.string().min(1).max(64), z.number())
  .refine((extras) => Object.keys(extras).length <= EXTRAS_MAX, `holds more than ${EXTRAS_MAX} numbers`)
  .describe(`At most ${EXTRAS_MAX} named numbers that the signal \`learned\` may read`);

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

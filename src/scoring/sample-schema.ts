import { z } from "zod";
import type { SampleLimits } from "./limits.js";
import { groupSchema, idSchema } from "./names.js";

/** Largest label of a regression: its squared error still fits the float32 in which signals are kept. */
const LABEL_MAX = 1e9;

/** A sample as it is posted or stands in a file. */
export function sampleSchema(limits: SampleLimits) {
  const text = z
    .string()
    .max(limits.textCharsMax)
    .refine((value) => value.isWellFormed(), "holds a lone surrogate, which is not Unicode text");
  return z
    .strictObject({
      id: idSchema(limits).optional(),
      query: text.optional(),
      document: text.optional(),
      text: text.optional().describe("In place of query and document"),
      label: z
        .union([z.number().min(-LABEL_MAX).max(LABEL_MAX), z.array(z.number())], {
          error: `must be a number from -${LABEL_MAX} to ${LABEL_MAX}, or a list of K probabilities`,
        })
        .nullable()
        .optional()
        .describe(
          "One logit: 0, 1 or between (bce), any number (mse). K logits: a class index or K probabilities.",
        ),
      group: groupSchema(limits).optional(),
    })
    .transform(({ query, document, text: single, ...rest }, context) => {
      if (single !== undefined && query === undefined && document === undefined)
        return { ...rest, text: single };
      if (single === undefined && query !== undefined && document !== undefined)
        return { ...rest, query, document };
      context.addIssue({ code: "custom", message: "needs query and document, or text in place of both" });
      return z.NEVER;
    })
    .describe("One training example");
}

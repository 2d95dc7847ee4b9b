import { z } from "zod";
import { type Fault, throwFaults } from "../../errors.js";
import type { Label } from "../../importance/types.js";
import type { ObservedSamples } from "../datasets/observe.js";
import type { SampleLimits } from "./limits.js";
import { groupSchema, idSchema, sourceSchema } from "./names.js";
import { CLASSES_MAX, labelSchema } from "./sample-schema.js";

/** Largest logit and ‖h‖. Every signal of them still fits float32. */
const OUTPUT_MAX = 1e9;

/** A sample as a trainer posts it with its model's outputs. */
export interface ObservedSample {
  readonly id: string;
  /** Null: unlabelled. */
  readonly label: Label;
  /** z, or K logits. */
  readonly logits: number | readonly number[];
  /** ‖h‖ of the last layer's input. */
  readonly feature_norm?: number | undefined;
  readonly group?: string | undefined;
  readonly source?: string | undefined;
  /** 6 bytes in hex. */
  readonly text_digest?: string | undefined;
}

export function observedSampleSchema(limits: SampleLimits) {
  const output = z.number().min(-OUTPUT_MAX).max(OUTPUT_MAX);
  return z
    .strictObject({
      id: idSchema(limits),
      label: labelSchema,
      logits: z
        .union([output, z.array(output).min(1).max(CLASSES_MAX)], {
          error: `must be a number from -${OUTPUT_MAX} to ${OUTPUT_MAX}, or a list of K of them, at most ${CLASSES_MAX}`,
        })
        .describe("What the trainer's model gave: z of a model with one logit, or a list of K logits"),
      feature_norm: z
        .number()
        .min(0)
        .max(OUTPUT_MAX)
        .optional()
        .describe("Norm ‖h‖ of the input of the last layer, for `grad_norm_last`"),
      group: groupSchema(limits).optional(),
      source: sourceSchema.optional(),
      text_digest: z
        .string()
        .regex(/^[0-9a-f]{12}$/, "must be 12 hex digits, as the dataset answers them for a sample")
        .optional()
        .describe(
          "The digest of the text that the dataset answers for the sample, or one of your own for a dataset without texts. Another digest than the known one says that the text is another, which starts the history again. Default: the known one.",
        ),
    })
    .describe("The outputs of a trainer's model for one sample") satisfies z.ZodType<ObservedSample>;
}

/** The samples in columns. Throws `invalid_sample` if their numbers of logits differ. */
export function observedColumns(samples: readonly ObservedSample[]): ObservedSamples {
  const classes = logitsIn(samples[0]);
  const logits = new Float32Array(samples.length * classes);
  const featureNorms = new Float64Array(samples.length).fill(Number.NaN);
  const faults: Fault[] = [];
  samples.forEach((sample, index) => {
    const own = logitsIn(sample);
    if (own !== classes) {
      const message = `must have ${classes} logits as the first sample, not ${own}`;
      faults.push({ sample: index, path: "/logits", message });
      return;
    }
    if (typeof sample.logits === "number") logits[index] = sample.logits;
    else logits.set(sample.logits, index * classes);
    if (sample.feature_norm !== undefined) featureNorms[index] = sample.feature_norm;
  });
  throwFaults("invalid_sample", faults);
  return {
    ids: samples.map(({ id }) => id),
    labels: samples.map(({ label }) => label),
    logits,
    classes,
    featureNorms,
    groups: samples.map(({ group = null }) => group),
    sources: samples.map(({ source = null }) => source),
    textDigests: samples.map(({ text_digest: digest }) =>
      digest === undefined ? null : Buffer.from(digest, "hex"),
    ),
  };
}

function logitsIn(sample: ObservedSample | undefined): number {
  return sample === undefined || typeof sample.logits === "number" ? 1 : sample.logits.length;
}

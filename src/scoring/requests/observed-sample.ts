import { z } from "zod";
import { type Fault, throwFaults } from "../../errors.js";
import type { Label } from "../../importance/types.js";
import type { ObservedSamples } from "../datasets/observe.js";
import type { SampleLimits } from "./limits.js";
import { groupSchema, idSchema, sourceSchema } from "./names.js";
import { CLASSES_MAX, isPlainId, isPlainLabel, labelSchema } from "./sample-schema.js";

/** Largest logit and ‖h‖. Every signal of them still fits float32. */
const OUTPUT_MAX = 1e9;

/**
 * Numbers of logits and labels after which no further sample is read into a batch of a stream. To write 1024 logits takes half a
 * millisecond, and more if the sample has a history.
 */
export const OUTPUTS_AT_ONCE = 2 ** 14;

/** How many numbers the value of a field holds, if it is a list. */
export function numbersIn(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

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

/** The fields of samples, by index. Undefined where a sample lacks it. */
export type ObservedFields = {
  readonly [F in keyof ObservedSample]-?: (index: number) => ObservedSample[F];
};

/** The fields of samples that are objects. */
export function fieldsOfSamples(samples: readonly ObservedSample[]): ObservedFields {
  const sampleAt = (index: number): ObservedSample => samples[index] as ObservedSample;
  return {
    id: (index) => sampleAt(index).id,
    label: (index) => sampleAt(index).label,
    logits: (index) => sampleAt(index).logits,
    feature_norm: (index) => sampleAt(index).feature_norm,
    group: (index) => sampleAt(index).group,
    source: (index) => sampleAt(index).source,
    text_digest: (index) => sampleAt(index).text_digest,
  };
}

/**
 * A check of one field of many samples, for samples that come in columns. It passes what `observedSampleSchema` passes. Of what it
 * does not pass, the schema says what is wrong.
 */
export function observedFieldChecks(limits: SampleLimits): Record<keyof ObservedSample, FieldCheck> {
  const { shape } = observedSampleSchema(limits);
  const isOutput = (value: unknown): boolean => typeof value === "number" && Math.abs(value) <= OUTPUT_MAX;
  // Most values are of the usual kind, and most names of groups and sources repeat: the schema takes a multiple of these tests.
  return {
    id: (value) => isPlainId(value, limits) || shape.id.safeParse(value).success,
    label: (value) => value === null || isPlainLabel(value) || shape.label.safeParse(value).success,
    logits: (value) => isOutput(value) || shape.logits.safeParse(value).success,
    feature_norm: (value) => value === undefined || (isOutput(value) && (value as number) >= 0),
    group: onceEach(shape.group),
    source: onceEach(shape.source),
    text_digest: onceEach(shape.text_digest),
  };
}

export type FieldCheck = (value: unknown) => boolean;

/** Checks a value unless it is the one that passed last. */
function onceEach(schema: z.ZodType): FieldCheck {
  let passed: unknown;
  return (value) => {
    if (value === passed) return true;
    if (!schema.safeParse(value).success) return false;
    passed = value;
    return true;
  };
}

/** The samples in columns. Throws `invalid_sample` if their numbers of logits differ. */
export function observedColumns(count: number, read: ObservedFields): ObservedSamples {
  const classes = count === 0 ? 1 : lengthOf(read.logits(0));
  const logits = new Float32Array(count * classes);
  const featureNorms = new Float64Array(count);
  const ids: string[] = [];
  const labels: Label[] = [];
  const groups: (string | null)[] = [];
  const sources: (string | null)[] = [];
  const textDigests: (Buffer | null)[] = [];
  const faults: Fault[] = [];
  for (let index = 0; index < count; index++) {
    const own = read.logits(index);
    if (typeof own === "number" && classes === 1) logits[index] = own;
    else if (typeof own !== "number" && own.length === classes) logits.set(own, index * classes);
    else {
      const message = `must have ${classes} logits as the first sample, not ${lengthOf(own)}`;
      faults.push({ sample: index, path: "/logits", message });
    }
    featureNorms[index] = read.feature_norm(index) ?? Number.NaN;
    const digest = read.text_digest(index);
    ids.push(read.id(index));
    labels.push(read.label(index));
    groups.push(read.group(index) ?? null);
    sources.push(read.source(index) ?? null);
    textDigests.push(digest === undefined ? null : Buffer.from(digest, "hex"));
  }
  throwFaults("invalid_sample", faults);
  return { ids, labels, logits, classes, featureNorms, groups, sources, textDigests };
}

function lengthOf(logits: ObservedSample["logits"]): number {
  return typeof logits === "number" ? 1 : logits.length;
}

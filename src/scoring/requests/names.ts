import { z } from "zod";
import { EXTRA_NAME_CHARS_MAX } from "../../importance/weigh-options.js";
import type { SampleLimits } from "./limits.js";

/** Most bytes of UTF-8 in the name of a dataset or a direction. */
export const DATASET_BYTES_MAX = 128;

/** A name that is a segment of a URL's path. It is not `.` or `..`, because clients remove these from paths before they send. */
function pathName(bytesMax: number, what: string) {
  return name(bytesMax, what, (text) => (text === "." || text === ".." ? PATH_STEP : null));
}

/** Well-formed Unicode without control characters, at most `bytesMax` bytes of UTF-8, in which `faultOf` finds no fault. */
function name(bytesMax: number, what: string, faultOf: (text: string) => string | null = () => null) {
  return z
    .string()
    .min(1)
    .check(({ value, issues }) => {
      for (const message of nameFaults(value, bytesMax))
        issues.push({ code: "custom", message, input: value });
      // In the same check: each one more costs every sample of every request.
      const message = faultOf(value);
      if (message !== null) issues.push({ code: "custom", message, input: value });
    })
    .meta({
      description: `${what} At most ${bytesMax} bytes of UTF-8, without control characters.`,
      // The part of the check that a JSON schema can express.
      maxLength: bytesMax,
      pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    });
}

/** The name of a sample's extra. */
export const extraNameSchema = z
  .string()
  .min(1)
  .max(EXTRA_NAME_CHARS_MAX)
  .check(({ value, issues }) => {
    for (const message of nameFaults(value, Number.POSITIVE_INFINITY))
      issues.push({ code: "custom", message, input: value });
  });

export const LONE_SURROGATE = "holds a lone surrogate, which is not Unicode text";
const PATH_STEP = "must not be . or .., which clients remove from a URL's path";
const PROTOTYPE =
  "must not be __proto__, because no JSON object can have this name, such as the quotas of a selection";
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

function nameFaults(text: string, bytesMax: number): string[] {
  // Most names are printable ASCII, and a look-up checks thousands of names: this is one test instead of three.
  if (PRINTABLE_ASCII.test(text) && text.length <= bytesMax) return NO_FAULTS;
  const faults: string[] = [];
  if (!text.isWellFormed()) faults.push(LONE_SURROGATE);
  if (/\p{Cc}/u.test(text)) faults.push("holds a control character");
  if (Buffer.byteLength(text) > bytesMax) faults.push(`is longer than ${bytesMax} bytes of UTF-8`);
  return faults;
}

const NO_FAULTS: string[] = [];

export function idSchema({ idBytesMax }: SampleLimits) {
  return pathName(idBytesMax, "Opaque id of a sample within its dataset.");
}

export function groupSchema({ idBytesMax }: SampleLimits) {
  return name(
    idBytesMax,
    "Id of the query that the sample belongs to. `pairwise` and `listwise` compare the samples of a group.",
  );
}

/** Most bytes of UTF-8 in the name of a source. */
const SOURCE_BYTES_MAX = 64;

export const sourceSchema = name(
  SOURCE_BYTES_MAX,
  "Where the sample came from, such as a crawl, a click log or an annotator.",
  (text) => (text === "__proto__" ? PROTOTYPE : null),
);
export const datasetSchema = pathName(DATASET_BYTES_MAX, "Name of a dataset.");
export const directionNameSchema = pathName(DATASET_BYTES_MAX, "Name of a direction.");
export const modelNameSchema = z.string().min(1).max(128).describe("Name of a model folder.");
export const checkpointNameSchema = name(DATASET_BYTES_MAX, "Name of a checkpoint of a training.");
export const checkpointStepSchema = z
  .int()
  .min(0)
  .describe("The trainer's step at the checkpoint. Steps order the checkpoints of a dataset.");

/** A checkpoint of a training: see `TrainingCheckpoint`. */
export const checkpointSchema = z.strictObject({ name: checkpointNameSchema, step: checkpointStepSchema });

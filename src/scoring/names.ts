import { z } from "zod";
import type { SampleLimits } from "./limits.js";

/** Bytes of UTF-8 that a dataset's name may have. */
export const DATASET_BYTES_MAX = 128;

/** Well-formed Unicode without control characters, at most `bytesMax` bytes of UTF-8. */
function name(bytesMax: number, what: string) {
  return z
    .string()
    .min(1)
    .refine((text) => text.isWellFormed(), "holds a lone surrogate, which is not Unicode text")
    .refine((text) => !/\p{Cc}/u.test(text), "holds a control character")
    .refine((text) => Buffer.byteLength(text) <= bytesMax, `is longer than ${bytesMax} bytes of UTF-8`)
    .describe(`${what} At most ${bytesMax} bytes of UTF-8, without control characters.`);
}

export function idSchema({ idBytesMax }: SampleLimits) {
  return name(idBytesMax, "Opaque id of a sample within its dataset.");
}

export function groupSchema({ idBytesMax }: SampleLimits) {
  return name(idBytesMax, "The query that the sample belongs to.");
}

export const datasetSchema = name(DATASET_BYTES_MAX, "Name of a dataset.");
export const modelNameSchema = z.string().min(1).max(128).describe("Name of a model folder.");

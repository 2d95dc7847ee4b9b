import { AssayError } from "../errors.js";

/** The error if a dataset with samples is to keep ids in another form. */
export function samplesKeepTheirIds(dataset: string, hashedIds: boolean): AssayError {
  const now = hashedIds ? "as they were sent" : "as keyed hashes";
  return new AssayError("dataset_not_empty", {
    detail: `Dataset ${JSON.stringify(dataset)} has samples, whose ids it keeps ${now}: set hashed_ids before the first sample, of a new dataset or of this one once it is deleted`,
  });
}

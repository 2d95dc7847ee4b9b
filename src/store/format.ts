import { AssayError } from "../errors.js";

/** Format of the store as a whole. Each record has a separate version of its own layout. */
export const FORMAT = "2";
/** The format of version 1a1e855. This version reads it, and writes nothing but models' outputs into it. */
export const FIRST_FORMAT = "1";
/** The format while `assay upgrade` is at work, and after it was interrupted. */
export const UPGRADING = "1 to 2";

/** What the status of a store of this format says instead of its durability; null for the present format. */
export function readOnlyNotice(format: string): string | null {
  if (format === FORMAT) return null;
  return "An earlier version wrote this store, so samples and weights are only read: run `assay upgrade`.";
}

/**
 * @param place names the store in the error
 * @throws AssayError `store_newer` if a later version wrote the store, `store_outdated` if an upgrade has not ended
 */
export function requireReadable(format: string, place: string): void {
  if (format === FORMAT || format === FIRST_FORMAT) return;
  if (format === UPGRADING)
    throw new AssayError("store_outdated", {
      detail: `An upgrade of ${place} has not ended: run \`assay upgrade\` again, which goes on where it stopped`,
    });
  throw new AssayError("store_newer", {
    detail: `A later version of Assay wrote ${place}, which has format ${format}. This version reads formats ${FIRST_FORMAT} and ${FORMAT}: run the later version`,
  });
}

/** @throws AssayError as `requireReadable` does, and `store_outdated` for the format of an earlier version */
export function requireWritable(format: string, place: string): void {
  requireReadable(format, place);
  if (format !== FORMAT)
    throw new AssayError("store_outdated", {
      detail: `An earlier version of Assay wrote ${place}, and this version only reads it: stop all services of the earlier version, back up, and run \`assay upgrade\``,
    });
}

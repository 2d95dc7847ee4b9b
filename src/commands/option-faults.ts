import { AssayError } from "../errors.js";
import type { LocatedSample } from "../scoring/requests/sample-batches.js";

/** Fields of a request that have another name, or another place, on the command line. */
const OPTIONS: Readonly<Record<string, string>> = { "/weighting/signal": "--weigh-by" };

/** The option that sets the field of a request at `path`: `--alpha` for `/weighting/alpha`, `--signals` for `/signals/2`. */
export function optionOf(path: string): string {
  const named = OPTIONS[path];
  if (named !== undefined) return named;
  const [first, second] = path.slice(1).split("/");
  return `--${first === "weighting" ? second : first}`;
}

/**
 * The error with what a person wrote in place of each path in a request: the option, or the sample's line in the file, also where the
 * message names another sample.
 *
 * @param batch the samples of the request, in its order
 */
export function inWordsOfOptions(error: AssayError, batch: readonly LocatedSample[] = []): AssayError {
  const path = error.faults[0]?.path;
  if (path === undefined || !error.message.startsWith(path)) return error;
  const placed = path.startsWith("/samples/") ? path : optionOf(path);
  const detail = `${placed}${error.message.slice(path.length)}`.replace(
    /\/samples\/(\d+)(\/\S+)?/g,
    (_, index: string, field = "") =>
      `${batch[Number(index)]?.path}${field && `: ${field.slice(1).replaceAll("/", ".")}`}`,
  );
  return new AssayError(error.code, { detail, cause: error });
}

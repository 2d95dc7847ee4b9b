import { AssayError, type Fault, relocated, sentenceOf } from "../errors.js";
import { type LocatedSample, placesOf } from "../scoring/requests/sample-batches.js";

/** Fields of a request whose option has another name. */
const OPTIONS: Readonly<Record<string, string>> = { "/weighting/signal": "--weigh-by" };

/** The option that sets the field of a request at `path`: `--alpha` for `/weighting/alpha`, `--signals` for `/signals/2`. */
export function optionOf(path: string): string {
  const named = OPTIONS[path];
  if (named !== undefined) return named;
  const [first, second] = path.slice(1).split("/");
  return `--${(first === "weighting" ? second : first)?.replaceAll("_", "-")}`;
}

/**
 * The thrown error in terms of the command line: it names options in place of a request's fields, and lines of the file in place
 * of samples. An error with its own detail stays as it is.
 *
 * @param batch the samples of the request, in its order
 */
export function inWordsOfOptions(thrown: unknown, batch: readonly LocatedSample[] = []): unknown {
  const placed = relocated(thrown, placesOf(batch));
  if (!(placed instanceof AssayError) || placed.detail !== undefined || placed.faults.length === 0)
    return thrown;
  return new AssayError(placed.code, { detail: sentenceOf(placed.faults, subjectOf), cause: thrown });
}

function subjectOf({ sample, path }: Fault): string {
  if (sample === undefined) return optionOf(path);
  return path === "" ? `${sample}` : `${sample}: ${path.slice(1).replaceAll("/", ".")}`;
}

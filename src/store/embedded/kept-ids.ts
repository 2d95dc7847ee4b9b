import { keptIds } from "../../text/kept-ids.js";
import { corrupt } from "../codec/bytes.js";
import type { IdForm } from "../dataset-port.js";
import type { DatasetEntry } from "./dataset-entry.js";
import { DIGEST_KEY } from "./digest-key.js";
import type { Environment } from "./environment.js";

/** What the keys of a dataset's samples have instead of an id: the id itself, or its keyed hash. */
export type KeptIds = (
  dataset: string,
  entry: DatasetEntry,
  /** Of the ids; by default `given`. */
  form?: IdForm,
) => (id: string) => string;

/** It reads the digest key synchronously, so that a change of a dataset can be planned from the entry as it is. */
export function openKeptIds(
  { singletons }: Pick<Environment, "singletons">,
  given: Buffer | undefined,
): KeptIds {
  return (dataset, { hashedIds }, form = "given") => {
    if (!hashedIds || form === "kept") return unchanged;
    // It was made before the dataset was set to hash its ids.
    const digestKey = given ?? singletons.get(DIGEST_KEY);
    if (digestKey === undefined) throw corrupt("the digest key of a dataset with hashed ids is missing");
    return keptIds(digestKey, dataset);
  };
}

function unchanged(id: string): string {
  return id;
}

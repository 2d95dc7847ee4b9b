import {
  EMBEDDING_TYPES,
  type EmbeddingCount,
  type EmbeddingOrigin,
  type EmbeddingSettings,
  type KeptEmbeddings,
} from "../dataset-records.js";
import { corrupt } from "./bytes.js";
import { isObject, parseObject } from "./json.js";

/**
 * What a dataset knows of its embeddings. Both stores keep it with the dataset as JSON; `redis/embedding-functions.ts` changes it
 * in Lua.
 */
export interface EmbeddingsState extends EmbeddingSettings {
  /**
   * Name in hex of one life of the dataset's embeddings. Their keys contain it, so those of a life that has ended cannot be taken
   * for later ones.
   */
  readonly life: string;
  /** The origins that embeddings have; the one that was written last is the last. */
  readonly origins: readonly NumberedOrigin[];
}

export interface NumberedOrigin extends EmbeddingCount {
  /** Stored embeddings name their origin by it. */
  readonly number: number;
}

/** The embeddings as the summary of a dataset has them. */
export function keptEmbeddings({ type, bytesMax, origins }: EmbeddingsState): KeptEmbeddings {
  const counts = origins.map(({ model, after, size, samples, bytes }) => ({
    model,
    after,
    size,
    samples,
    bytes,
  }));
  return { type, bytesMax, origins: counts };
}

export function isSameOrigin(a: EmbeddingOrigin, b: EmbeddingOrigin): boolean {
  return a.model === b.model && a.after === b.after && a.size === b.size;
}

/** @throws AssayError `store_corrupt` if a part is missing */
export function embeddingsState(value: unknown): EmbeddingsState | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw corrupt("the embeddings of a dataset are not described");
  const { life, bytesMax, origins } = value;
  const type = EMBEDDING_TYPES.find((each) => each === value.type);
  // Lua writes an empty list as {}.
  const listed = Array.isArray(origins) ? origins : [];
  if (
    type === undefined ||
    typeof life !== "string" ||
    typeof bytesMax !== "number" ||
    !listed.every(isNumberedOrigin)
  )
    throw corrupt("the description of a dataset's embeddings is incomplete");
  return { life, type, bytesMax, origins: listed };
}

/** The same of its JSON text; null: the dataset keeps no embeddings. */
export function parseEmbeddingsState(text: string | null): EmbeddingsState | null {
  return text === null
    ? null
    : embeddingsState(parseObject(text, "the description of a dataset's embeddings"));
}

function isNumberedOrigin(value: unknown): value is NumberedOrigin {
  return (
    isObject(value) &&
    typeof value.model === "string" &&
    typeof value.after === "string" &&
    [value.number, value.size, value.samples, value.bytes].every(Number.isInteger)
  );
}

import { originOf, withOrigin } from "../codec/embedding.js";
import { type EmbeddingsState, isSameOrigin, type NumberedOrigin } from "../codec/embeddings-state.js";
import type { EmbeddingOrigin } from "../dataset-records.js";
import type { Table } from "./environment.js";

/** Changes of a dataset's embeddings that one write is to make, with their counts. */
export interface EmbeddingPlan {
  /** Removes the embedding of the sample with this number, if it has one. */
  drop(number: number): void;
  /** Keeps an embedding of the origin. False if there is no room. */
  put(number: number, origin: EmbeddingOrigin, body: Buffer): boolean;
  /** The state after the changes. */
  state(): EmbeddingsState;
  write(): void;
}

/** Key of an embedding: the life of the dataset's embeddings, and the number of the sample. */
export function embeddingKey({ life }: Pick<EmbeddingsState, "life">, number: number): Buffer {
  const prefix = Buffer.from(life, "hex");
  const key = Buffer.allocUnsafe(prefix.length + 4);
  prefix.copy(key);
  key.writeUInt32BE(number, prefix.length);
  return key;
}

/** Plans changes; null if the dataset keeps no embeddings. */
export function planEmbeddings(embeddings: Table, before: EmbeddingsState | null): EmbeddingPlan | null {
  if (before === null) return null;
  let { origins } = before;
  let total = origins.reduce((sum, { bytes }) => sum + bytes, 0);
  /** Null removes the embedding. */
  const changes = new Map<number, Buffer | null>();

  function storedAt(number: number): Buffer | null {
    const changed = changes.get(number);
    return changed === undefined
      ? (embeddings.get(embeddingKey(before as EmbeddingsState, number)) ?? null)
      : changed;
  }

  function count(origin: number, samples: number, bytes: number): void {
    total += bytes;
    origins = origins.map((each) =>
      each.number === origin ? { ...each, samples: each.samples + samples, bytes: each.bytes + bytes } : each,
    );
  }

  function remove(number: number): void {
    const stored = storedAt(number);
    if (stored === null) return;
    count(originOf(stored), -1, -stored.length);
    changes.set(number, null);
  }

  return {
    drop: remove,
    put(number, origin, body) {
      const last = asLast(origins, origin);
      const stored = withOrigin(last.number, body);
      const grown = total + stored.length - (storedAt(number)?.length ?? 0);
      if (grown > before.bytesMax) return false;
      remove(number);
      const counted = origins.find((each) => each.number === last.number) ?? last;
      origins = [...origins.filter((each) => each.number !== last.number && each.samples > 0), counted];
      count(last.number, 1, stored.length);
      changes.set(number, stored);
      return true;
    },
    state: () => ({ ...before, origins }),
    write() {
      for (const [number, stored] of changes) {
        const key = embeddingKey(before, number);
        if (stored === null) embeddings.remove(key);
        else embeddings.put(key, stored);
      }
    },
  };
}

/** The origin with its counts, or with a number that no other has. */
function asLast(origins: readonly NumberedOrigin[], { model, after, size }: EmbeddingOrigin): NumberedOrigin {
  const known = origins.find((each) => isSameOrigin(each, { model, after, size }));
  if (known !== undefined) return known;
  const taken = new Set(origins.map(({ number }) => number));
  let number = 0;
  while (taken.has(number)) number++;
  return { number, model, after, size, samples: 0, bytes: 0 };
}

import { randomBytes } from "node:crypto";
import { embeddingColumns, originOf } from "../codec/embedding.js";
import { type EmbeddingsState, parseEmbeddingsState } from "../codec/embeddings-state.js";
import type { EmbeddingStore } from "../dataset-port.js";
import { encodeEmbeddings } from "../encode-embeddings.js";
import { samplesKeepTheirIds } from "../hashed-ids.js";
import type { Lifetime } from "../lifetime.js";
import type { Connection } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import { EMBEDDINGS_PER_HASH } from "./embedding-functions.js";
import { READ_EMBEDDINGS, READ_SETTINGS, WRITE_EMBEDDINGS, WRITE_SETTINGS } from "./embedding-scripts.js";
import type { Format } from "./format.js";
import { type KeptIds, OTHER_IDS } from "./kept-ids.js";
import { bucketOf, datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { bytes, ignored, orNull } from "./reply.js";
import { hash } from "./script-replies.js";
import { unlinkAll } from "./unlink.js";

/** Hashes of embeddings that one script of a scan reads. */
const HASHES_PER_CHUNK = 10;
const LIFE_BYTES = 6;

interface EmbeddingsNeeds {
  readonly datasets: Pick<DatasetKeys, "index">;
  readonly format: Format;
  readonly keptIds: KeptIds;
}

/** The embeddings of samples, in hashes by number. */
export function openEmbeddings(
  connection: Connection,
  prefix: string,
  { datasets, format, keptIds }: EmbeddingsNeeds,
  { run }: Lifetime,
): EmbeddingStore {
  const keyOf = (dataset: string): string => datasetKey(prefix, dataset);

  /** What a dataset knows of its embeddings: null if it is to keep none; undefined if there is no dataset. */
  async function readState(dataset: string): Promise<EmbeddingsState | null | undefined> {
    const found = await connection.run(READ_SETTINGS, keyOf(dataset), []);
    return found === null ? undefined : parseEmbeddingsState(found.embeddings);
  }

  return {
    writeSettings: (dataset, { embedding, hashedIds }) =>
      run(async () => {
        await format.requireWritable();
        const written = await connection.run(WRITE_SETTINGS, keyOf(dataset), [
          randomBytes(6).toString("base64url"),
          embedding === undefined ? 0 : 1,
          randomBytes(LIFE_BYTES).toString("hex"),
          embedding?.type ?? "",
          embedding?.bytesMax ?? 0,
          hashedIds === undefined ? "" : Number(hashedIds),
        ]);
        if (written === OTHER_IDS) throw samplesKeepTheirIds(dataset, hashedIds === true);
        const { incarnation, life } = written;
        await datasets.index(dataset, incarnation);
        const key = (part: string | number): string => incarnationKey(prefix, dataset, incarnation, part);
        await removeEmbeddings(connection, key, life);
      }),

    readSettings: (dataset) =>
      run(async () => {
        const found = await connection.run(READ_SETTINGS, keyOf(dataset), []);
        if (found === null) return null;
        const state = parseEmbeddingsState(found.embeddings);
        return {
          embedding: state && { type: state.type, bytesMax: state.bytesMax },
          hashedIds: found.hashedIds,
        };
      }),

    writeEmbeddings: (dataset, fresh) =>
      run(async () => {
        const { origin, ids, textDigests } = fresh;
        await format.requireWritable();
        for (;;) {
          const state = (await readState(dataset)) ?? null;
          if (state === null) return { kept: 0, withoutRoom: 0 };
          const bodies = await encodeEmbeddings(state.type, fresh);
          const written = await keptIds.within(dataset, ({ expected, keptId }) => {
            const args = ids
              .map(keptId)
              .flatMap((id, index) => [bucketOf(id), id, textDigests[index] ?? "", bodies[index] as Buffer]);
            const head = [state.life, origin.model, origin.after, origin.size, expected];
            return connection.run(WRITE_EMBEDDINGS, keyOf(dataset), [...head, ...args]);
          });
          if (written !== null) return written;
        }
      }),

    async *scanEmbeddings(dataset) {
      const state = await run(() => readState(dataset));
      const origin = state?.origins.at(-1);
      if (state === null || state === undefined || origin === undefined) return;
      const { life, type } = state;
      const begun = await run(() => connection.send("HGET", [keyOf(dataset), "incarnation"], orNull(bytes)));
      if (begun === null) return;
      const incarnation = begun.toString();
      const used = incarnationKey(prefix, dataset, incarnation, `embeddings:${life}`);
      const hashes = await run(() => connection.send("GET", [used], usedBuckets));
      for (let first = 0; first < hashes.length; first += HASHES_PER_CHUNK) {
        const chunk = hashes.slice(first, first + HASHES_PER_CHUNK);
        const found = await run(() => connection.run(READ_EMBEDDINGS, keyOf(dataset), [life, ...chunk]));
        if (found === null) return;
        const rows = found.flatMap((entries, at) =>
          entries.map(([field, stored]) => ({
            number: (chunk[at] as number) * EMBEDDINGS_PER_HASH + Number(field),
            stored,
          })),
        );
        const own = rows.filter(({ stored }) => originOf(stored) === origin.number);
        own.sort((a, b) => a.number - b.number);
        if (own.length > 0) yield embeddingColumns(incarnation, type, origin, own);
      }
    },
  };
}

/** Removes the embeddings of all lives but one. @param key of a part of the dataset's incarnation */
export async function removeEmbeddings(
  connection: Connection,
  key: (part: string) => string,
  kept: string | null,
): Promise<void> {
  const lives = await connection.send("HGETALL", [key("embedding_lives")], hash);
  for (const life of lives.keys()) {
    if (life === kept) continue;
    const used = key(`embeddings:${life}`);
    const hashes = await connection.send("GET", [used], usedBuckets);
    // `used` names the other keys, so it goes last.
    await unlinkAll(connection, [...hashes.map((each) => key(`e:${life}:${each}`)), used]);
    await connection.send("HDEL", [key("embedding_lives"), life], ignored);
  }
}

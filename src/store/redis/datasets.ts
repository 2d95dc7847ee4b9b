import { corrupt } from "../codec/bytes.js";
import { keptEmbeddings, parseEmbeddingsState } from "../codec/embeddings-state.js";
import { parseShape, type Shape, samplesByModel, samplesBySource } from "../codec/shape.js";
import { snapshotInfo } from "../codec/snapshot.js";
import type { SummaryStore } from "../dataset-port.js";
import type { DatasetSummary, Page } from "../dataset-records.js";
import type { Lifetime } from "../lifetime.js";
import { openRecent } from "../recent.js";
import { SHAPES_CACHED_MAX } from "../shape-limits.js";
import { LATER_CHUNK } from "../weight-columns.js";
import type { Connection } from "./connection.js";
import { openCounts } from "./counts.js";
import { removeEmbeddings } from "./embeddings.js";
import type { Format } from "./format.js";
import { historiesPart } from "./history-scripts.js";
import { datasetKey, incarnationKey, indexKey, usedBuckets } from "./keys.js";
import { bytes, ignored, listOf } from "./reply.js";
import { hash } from "./script-replies.js";
import { DELETE_DATASET, READ_DATASET } from "./scripts.js";
import { unlinkAll } from "./unlink.js";

export interface DatasetKeys {
  /** This part of the store's port. */
  readonly summaries: SummaryStore;
  /** Makes sure that the index lists the dataset. Each process asks Redis once for each incarnation. */
  index(dataset: string, incarnation: string): Promise<void>;
  /** The first `count` shapes of an incarnation; null if it was deleted in the meantime. */
  shapes(dataset: string, incarnation: string, count: number): Promise<readonly Shape[] | null>;
}

/**
 * A dataset is a hash of its own fields, and the keys of its incarnation. The incarnation is a random name of one life of the
 * dataset, so the remains of a deleted dataset cannot be taken for those of a later one. The index names dataset and incarnation.
 * It is written after the dataset and cleared after its keys. An index entry without its incarnation therefore means an
 * unfinished deletion, and the next listing finishes it.
 */
export function openDatasets(
  connection: Connection,
  prefix: string,
  format: Format,
  { run }: Lifetime,
): DatasetKeys {
  const counted = openCounts(connection, prefix);
  const indexed = new Set<string>();
  const shapesByIncarnation = openRecent<readonly Shape[]>(SHAPES_CACHED_MAX, ({ length }) => length + 1);

  async function readEntry(
    dataset: string,
  ): Promise<{ incarnation: string; summary: DatasetSummary } | null> {
    const found = await connection.run(READ_DATASET, datasetKey(prefix, dataset), []);
    if (found === null) return null;
    const { fields, shapes, snapshots } = found;
    const number = (name: string): number => {
      const value = Number(fields.get(name) ?? Number.NaN);
      if (Number.isNaN(value)) throw corrupt(`the dataset "${dataset}" lacks its ${name}`);
      return value;
    };
    const snapshot = snapshots.at(-1);
    const embeddings = parseEmbeddingsState(fields.get("embeddings") ?? null);
    const known = inOrder(shapes);
    const incarnation = fields.get("incarnation") ?? "";
    const counts =
      found.counts ?? (await counted({ dataset, incarnation, updatedAtMs: number("updated_at_ms") }));
    return {
      incarnation,
      summary: {
        dataset,
        samples: number("samples"),
        createdAtMs: number("created_at_ms"),
        updatedAtMs: number("updated_at_ms"),
        samplesByModel: samplesByModel(known, counts),
        samplesBySource: samplesBySource(known, counts),
        snapshot: snapshot === undefined ? null : snapshotInfo(snapshot),
        embeddings: embeddings === null ? null : keptEmbeddings(embeddings),
        hashedIds: fields.get("hashed_ids") === "1",
      },
    };
  }

  /** Removes the keys of an incarnation that belongs to no dataset any more. */
  async function purge(dataset: string, incarnation: string): Promise<void> {
    const key = (part: string | number): string => incarnationKey(prefix, dataset, incarnation, part);
    await removeEmbeddings(connection, key, null);
    const buckets = await connection.send("GET", [key("used")], usedBuckets);
    const columns = await connection.send("HGETALL", [key("columns")], hash);
    const chunks = [...columns].flatMap(([column, state]) =>
      [...Array(Number.parseInt(state, 10)).keys(), LATER_CHUNK].map((chunk) => key(`w:${column}:${chunk}`)),
    );
    const hashes = await connection.send("GET", [key("histories")], usedBuckets);
    const histories = hashes.map((each) => key(historiesPart(each)));
    // `used`, `columns` and `histories` name the other keys, so they go last.
    const own = ["shapes", "counts", "snapshots", "removed", "deleted", "checkpoints"];
    const last = ["used", "columns", "histories"];
    await unlinkAll(connection, [
      ...buckets.map(key),
      ...chunks,
      ...histories,
      ...[...own, ...last].map(key),
    ]);
    await connection.send("ZREM", [indexKey(prefix), member(dataset, incarnation)], ignored);
    shapesByIncarnation.delete(incarnation);
    indexed.delete(incarnation);
  }

  async function list(cursor: string | null, limit: number): Promise<Page<DatasetSummary>> {
    const items: DatasetSummary[] = [];
    let after = cursor === null ? "-" : `(${Buffer.from(cursor, "base64url").toString("utf8")}`;
    for (;;) {
      const wanted = limit + 1 - items.length;
      const range = [indexKey(prefix), after, "+", "LIMIT", 0, wanted];
      const members = await connection.send("ZRANGEBYLEX", range, listOf(bytes));
      const names = members.map((each) => splitMember(each.toString("utf8")));
      const entries = await Promise.all(names.map(({ dataset }) => readEntry(dataset)));
      for (const [index, { dataset, incarnation }] of names.entries()) {
        const entry = entries[index];
        if (entry?.incarnation === incarnation) items.push(entry.summary);
        else await purge(dataset, incarnation);
      }
      const last = names.at(-1);
      if (last === undefined || members.length < wanted || items.length > limit) break;
      after = `(${member(last.dataset, last.incarnation)}`;
    }
    const shown = items.slice(0, limit);
    const last = items.length > limit ? shown.at(-1) : undefined;
    return {
      items: shown,
      cursor: last === undefined ? null : Buffer.from(`${last.dataset}\u0001`).toString("base64url"),
    };
  }

  return {
    summaries: {
      listDatasets: (cursor, limit) => run(() => list(cursor, limit)),

      readDataset: (dataset) => run(async () => (await readEntry(dataset))?.summary ?? null),

      deleteDataset: (dataset) =>
        run(async () => {
          await format.requireWritable();
          const incarnation = await connection.run(DELETE_DATASET, datasetKey(prefix, dataset), []);
          if (incarnation !== null) await purge(dataset, incarnation.toString());
          return incarnation !== null;
        }),
    },

    async index(dataset, incarnation) {
      if (indexed.has(incarnation)) return;
      await connection.send("ZADD", [indexKey(prefix), 0, member(dataset, incarnation)], ignored);
      indexed.add(incarnation);
    },

    async shapes(dataset, incarnation, count) {
      const known = shapesByIncarnation.get(incarnation);
      if (known !== undefined && known.length >= count) return known;
      const key = incarnationKey(prefix, dataset, incarnation, "shapes");
      const shapes = inOrder(await connection.send("HGETALL", [key], hash));
      if (shapes.length < count) return null;
      shapesByIncarnation.set(incarnation, shapes);
      return shapes;
    },
  };
}

function member(dataset: string, incarnation: string): string {
  return `${dataset}\0${incarnation}`;
}

function splitMember(text: string): { dataset: string; incarnation: string } {
  const at = text.lastIndexOf("\0");
  return { dataset: text.slice(0, at), incarnation: text.slice(at + 1) };
}

/** The shapes in the order of their numbers, from a map of text → number. */
function inOrder(numbers: ReadonlyMap<string, string>): Shape[] {
  const shapes: Shape[] = [];
  for (const [text, number] of numbers) shapes[Number(number)] = parseShape(text);
  return shapes;
}

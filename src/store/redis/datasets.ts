import { corrupt } from "../codec/bytes.js";
import { parseShape, type Shape, samplesByModel } from "../codec/shape.js";
import { type KeptSnapshot, snapshotInfo } from "../codec/stored.js";
import type { DatasetSummary, Page } from "../port.js";
import type { Connection } from "./connection.js";
import { countsOf, openCounts } from "./counts.js";
import { datasetKey, incarnationKey, indexKey, usedBuckets } from "./keys.js";
import { DELETE_DATASET, READ_DATASET } from "./scripts.js";
import { unlinkAll } from "./unlink.js";

export interface DatasetKeys {
  read(dataset: string): Promise<DatasetSummary | null>;
  list(cursor: string | null, limit: number): Promise<Page<DatasetSummary>>;
  delete(dataset: string): Promise<boolean>;
  /** Makes sure that the dataset is listed; asks Redis once a process and incarnation. */
  index(dataset: string, incarnation: string): Promise<void>;
  /** The first `count` shapes of an incarnation; null when it was deleted meanwhile. */
  shapes(dataset: string, incarnation: string, count: number): Promise<readonly Shape[] | null>;
}

/**
 * A dataset is a hash of its own fields and the keys of its incarnation: a random name of one life of the dataset, so
 * that what a deletion has not removed yet is never taken for a successor's. The index names both. It is written after the
 * dataset and cleared after its keys, so an entry whose incarnation is no more means an unfinished deletion; the next
 * listing finishes it.
 */
export function openDatasets(connection: Connection, prefix: string): DatasetKeys {
  const counted = openCounts(connection, prefix);
  const indexed = new Set<string>();
  const shapesByIncarnation = new Map<string, readonly Shape[]>();

  async function readEntry(
    dataset: string,
  ): Promise<{ incarnation: string; summary: DatasetSummary } | null> {
    const reply = (await connection.run(READ_DATASET, datasetKey(prefix, dataset), [])) as
      | [Buffer[], Buffer[], Buffer[] | null]
      | null;
    if (reply === null) return null;
    const fields = pairs(reply[0]);
    const number = (name: string): number => {
      const value = Number(fields.get(name) ?? Number.NaN);
      if (Number.isNaN(value)) throw corrupt(`the dataset "${dataset}" lacks its ${name}`);
      return value;
    };
    const snapshot = fields.get("snapshot");
    const incarnation = fields.get("incarnation") ?? "";
    const counts =
      reply[2] === null
        ? await counted({ dataset, incarnation, updatedAtMs: number("updated_at_ms") })
        : countsOf(reply[2]);
    return {
      incarnation,
      summary: {
        dataset,
        samples: number("samples"),
        createdAtMs: number("created_at_ms"),
        updatedAtMs: number("updated_at_ms"),
        samplesByModel: samplesByModel(inOrder(reply[1]), counts),
        snapshot: snapshot === undefined ? null : snapshotInfo(JSON.parse(snapshot) as KeptSnapshot),
      },
    };
  }

  /** Removes the keys of an incarnation that no dataset has any more. */
  async function purge(dataset: string, incarnation: string): Promise<void> {
    const key = (part: string | number): string => incarnationKey(prefix, dataset, incarnation, part);
    const used = (await connection.send("GET", [key("used")])) as Buffer | null;
    const buckets = used === null ? [] : usedBuckets(used);
    await unlinkAll(connection, [...buckets.map(key), key("shapes"), key("counts"), key("used")]);
    await connection.send("ZREM", [indexKey(prefix), member(dataset, incarnation)]);
    shapesByIncarnation.delete(incarnation);
    indexed.delete(incarnation);
  }

  return {
    async read(dataset) {
      return (await readEntry(dataset))?.summary ?? null;
    },

    async list(cursor, limit) {
      const items: DatasetSummary[] = [];
      let after = cursor === null ? "-" : `(${Buffer.from(cursor, "base64url").toString("utf8")}`;
      for (;;) {
        const wanted = limit + 1 - items.length;
        const members = (await connection.send("ZRANGEBYLEX", [
          indexKey(prefix),
          after,
          "+",
          "LIMIT",
          0,
          wanted,
        ])) as Buffer[];
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
    },

    async delete(dataset) {
      const incarnation = (await connection.run(
        DELETE_DATASET,
        datasetKey(prefix, dataset),
        [],
      )) as Buffer | null;
      if (incarnation !== null) await purge(dataset, incarnation.toString());
      return incarnation !== null;
    },

    async index(dataset, incarnation) {
      if (indexed.has(incarnation)) return;
      await connection.send("ZADD", [indexKey(prefix), 0, member(dataset, incarnation)]);
      indexed.add(incarnation);
    },

    async shapes(dataset, incarnation, count) {
      const known = shapesByIncarnation.get(incarnation);
      if (known !== undefined && known.length >= count) return known;
      const reply = (await connection.send("HGETALL", [
        incarnationKey(prefix, dataset, incarnation, "shapes"),
      ])) as Buffer[];
      const shapes = inOrder(reply);
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

function pairs(flat: readonly Buffer[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    map.set((flat[index] as Buffer).toString("utf8"), (flat[index + 1] as Buffer).toString("utf8"));
  }
  return map;
}

/** Shapes with their numbers, as a flat list, in the order of the numbers. */
function inOrder(flat: readonly Buffer[]): Shape[] {
  const shapes: Shape[] = [];
  for (const [text, number] of pairs(flat)) shapes[Number(number)] = parseShape(text);
  return shapes;
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ascending } from "../../../src/scoring/looks/dataset-index.js";
import { countDataset } from "../../../src/scoring/looks/histograms.js";
import { openIndexes } from "../../../src/scoring/looks/indexes.js";
import { type RankCursor, type RankInput, rankSamples } from "../../../src/scoring/looks/rank-samples.js";
import type { Store } from "../../../src/store/port.js";
import { sample, weighIds } from "../../store/conformance/records.js";
import { temporaryStore } from "../../support/app.js";

const everything = { ranges: [] };

async function withLosses(losses: readonly (number | null)[]): Promise<Store> {
  const store = await temporaryStore();
  const entries = losses.map((loss, index) => ({
    id: `s${index}`,
    record: sample({
      label: index % 2,
      source: index % 3 === 0 ? "clicks" : null,
      signals: new Map(
        loss === null
          ? [["margin", 1]]
          : [
              ["loss", loss],
              ["extras.price", index],
            ],
      ),
    }),
  }));
  await store.writeSamples("d", entries);
  return store;
}

function ports(store: Store) {
  return { store, indexes: openIndexes(store) };
}

const input = (fields: Partial<RankInput> = {}): RankInput => ({
  dataset: "d",
  sort: "loss",
  descending: true,
  filter: everything,
  limit: 10,
  after: null,
  ...fields,
});

describe("the order of a column", () => {
  it("is that of its float32 values, NaN last, equal values by number", () => {
    const float = fc.oneof(fc.float(), fc.constantFrom(0, -0, Number.NaN, 1, -1));
    fc.assert(
      fc.property(fc.array(fc.tuple(float, fc.nat({ max: 2 ** 32 - 2 })), { maxLength: 300 }), (rows) => {
        const values = Float32Array.from(rows, ([value]) => value);
        const numbers = Uint32Array.from(rows, ([, number]) => number);
        const key = (row: number) =>
          Number.isNaN(values[row]) ? Number.POSITIVE_INFINITY : (values[row] as number);
        const last = (row: number) => Number(Number.isNaN(values[row]));
        const plain = rows
          .map((_, row) => row)
          .sort(
            (a, b) =>
              last(a) - last(b) ||
              (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) ||
              (numbers[a] as number) - (numbers[b] as number),
          );
        expect([...ascending(values, numbers)].map((row) => [values[row], numbers[row]])).toEqual(
          plain.map((row) => [values[row], numbers[row]]),
        );
      }),
    );
  });
});

describe("samples by a signal", () => {
  it("come in pages that neither skip nor repeat, in both directions, with ties", async () => {
    const losses = Array.from({ length: 100 }, (_, index) => (index * 7) % 10);
    const place = ports(await withLosses(losses));
    for (const descending of [true, false]) {
      const seen: string[] = [];
      for (let after: RankCursor | null = null, first = true; first || after !== null; first = false) {
        const page = await rankSamples(place, input({ descending, limit: 7, after }));
        seen.push(...page.ids);
        after = page.next;
      }
      expect(new Set(seen).size).toBe(100);
      const found = seen.map((id) => losses[Number(id.slice(1))] as number);
      expect(found).toEqual([...losses].sort((a, b) => (descending ? b - a : a - b)));
    }
  });

  it("pass the filter: label, source and ranges", async () => {
    const place = ports(await withLosses([1, 2, 3, 4, 5, 6, null]));
    const ids = async (filter: RankInput["filter"], sort = "loss") =>
      (await rankSamples(place, input({ filter, sort }))).ids;
    expect(await ids({ ...everything, label: 1 })).toEqual(["s5", "s3", "s1"]);
    expect(await ids({ ...everything, source: "clicks" })).toEqual(["s3", "s0"]);
    const range = (column: string, min: number, max: number) => ({ ranges: [{ column, min, max }] });
    expect(await ids(range("loss", 2, 4))).toEqual(["s3", "s2", "s1"]);
    expect(await ids(range("extras.price", 5, Number.POSITIVE_INFINITY))).toEqual(["s5"]);
    await expect(ids(everything, "grad_norm")).rejects.toMatchObject({
      code: "unsuitable_signal",
      faults: [{ path: "/sort", message: expect.stringContaining("extras.price, loss, margin, weight") }],
    });
    await expect(ids({ ...everything, source: "nobody" })).rejects.toMatchObject({
      code: "unsuitable_signal",
    });
  });

  it("are not of a dataset that is gone", async () => {
    const store = await withLosses([1, 2, 3]);
    const place = ports(store);
    expect((await rankSamples(place, input())).ids).toEqual(["s2", "s1", "s0"]);
    await store.deleteDataset("d");
    await expect(rankSamples(place, input())).rejects.toMatchObject({ code: "dataset_not_found" });
  });

  it("are sorted by their weight", async () => {
    const store = await withLosses([1, 2, 3]);
    await weighIds(store, "d", { ids: ["s0", "s1", "s2"], weights: Float64Array.of(0.5, 0.2, 0.3) }, {});
    const { ids } = await rankSamples(ports(store), input({ sort: "weight" }));
    expect(ids).toEqual(["s0", "s2", "s1"]);
  });
});

describe("histograms", () => {
  const count = (store: Store, fields: object = {}) =>
    countDataset(ports(store), {
      dataset: "d",
      columns: ["loss"],
      bins: 4,
      scale: "linear",
      filter: everything,
      map: false,
      ...fields,
    });

  it("count each value once, and say how many samples have none", async () => {
    const store = await withLosses([0, 1, 2, 3, 4, null]);
    const { histograms, columns } = await count(store);
    expect(columns).toEqual(["extras.price", "loss", "margin", "weight"]);
    expect(histograms).toEqual([
      {
        column: "loss",
        count: 5,
        missing: 1,
        edges: [0, 1, 2, 3, 4],
        counts: [1, 1, 1, 2],
        mean: 2,
        quantiles: { 0: 0, 1: 0, 5: 0, 25: 1, 50: 2, 75: 3, 95: 4, 99: 4, 100: 4 },
      },
    ]);
    const log = (await count(store, { scale: "log", bins: 2 })).histograms[0];
    expect(log).toMatchObject({ count: 4, missing: 2, counts: [1, 3] });
    expect(log?.edges).toEqual([1, 2, 4]);
  });

  it("put equal values into one bin, and answer no edges if nothing is counted", async () => {
    expect((await count(await withLosses([2, 2]))).histograms[0]?.counts).toEqual([2, 0, 0, 0]);
    const none = await count(await withLosses([2, 2]), { filter: { ranges: [], label: 7 } });
    expect(none.histograms[0]).toMatchObject({ count: 0, edges: [], counts: [0, 0, 0, 0], mean: null });
  });

  it("count pairs of two columns as a map", async () => {
    const { map } = await count(await withLosses([0, 10, 10, 0]), {
      columns: ["loss", "extras.price"],
      bins: 2,
      map: true,
    });
    expect(map).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });
});

it("tells labels apart that are one number in float32", async () => {
  const store = await temporaryStore();
  const labels = [2 ** 24, 2 ** 24 + 1, 0.1 + 0.2, 0.3];
  await store.writeSamples(
    "d",
    labels.map((label, index) => ({ id: `s${index}`, record: sample({ label }) })),
  );
  for (const [index, label] of labels.entries()) {
    const filter = { label, ranges: [] };
    expect((await rankSamples(ports(store), input({ filter }))).ids).toEqual([`s${index}`]);
  }
});

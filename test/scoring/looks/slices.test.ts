import { describe, expect, it } from "vitest";
import { openIndexes } from "../../../src/scoring/looks/indexes.js";
import { type SliceInput, sliceDataset } from "../../../src/scoring/looks/slices.js";
import type { Store } from "../../../src/store/port.js";
import { sample, weighIds } from "../../store/conformance/records.js";
import { temporaryStore } from "../../support/app.js";

/** Ten samples: s0, s3, s6 and s9 from "clicks", s1 and s2 from "crawl", the rest without a source. s9 has no loss. */
async function tenSamples(): Promise<Store> {
  const store = await temporaryStore();
  const sourceOf = (at: number) => (at % 3 === 0 ? "clicks" : at < 3 ? "crawl" : null);
  const entries = Array.from({ length: 10 }, (_, at) => ({
    id: `s${at}`,
    record: sample({
      label: at === 4 ? null : at % 2,
      source: sourceOf(at),
      signals: new Map(at === 9 ? [["margin", 1]] : [["loss", at]]),
    }),
  }));
  await store.writeSamples("d", entries);
  return store;
}

async function slicesOf(store: Store, fields: Partial<SliceInput> = {}) {
  const input = {
    dataset: "d",
    by: "source",
    columns: ["loss"],
    limit: 100,
    filter: { ranges: [] },
  } as const;
  return sliceDataset({ store, indexes: openIndexes(store) }, { ...input, ...fields });
}

describe("slices of a dataset", () => {
  it("have the mean of a column and its standard error, the largest slice first", async () => {
    const { samples, slices, slicesTotal } = await slicesOf(await tenSamples());
    expect({ samples, slicesTotal }).toEqual({ samples: 10, slicesTotal: 3 });
    expect(slices.map(({ name, samples: count, labelled }) => [name, count, labelled])).toEqual([
      [null, 4, 3],
      ["clicks", 4, 4],
      ["crawl", 2, 2],
    ]);
    // Of 0, 3 and 6 the deviation is 3; of 1 and 2 it is √½.
    expect(slices[1]).toMatchObject({
      share: 0.4,
      means: [{ column: "loss", count: 3, mean: 3, standardError: Math.sqrt(3) }],
    });
    expect(slices[2]?.means[0]?.standardError).toBeCloseTo(0.5, 12);
  });

  it("say how much weight they have, and of how many samples it counts as", async () => {
    const store = await tenSamples();
    expect((await slicesOf(store)).slices[0]).toMatchObject({ weightShare: null, effectiveSampleSize: null });
    await weighIds(store, "d", { ids: ["s0", "s3", "s1"], weights: Float64Array.of(0.5, 0.25, 0.25) }, {});
    const { slices } = await slicesOf(store);
    const clicks = slices.find(({ name }) => name === "clicks");
    expect(clicks?.weightShare).toBeCloseTo(0.75, 6);
    expect(clicks?.effectiveSampleSize).toBeCloseTo(0.75 ** 2 / (0.25 + 0.0625), 6);
    expect(slices.find(({ name }) => name === null)).toMatchObject({
      weightShare: 0,
      effectiveSampleSize: null,
    });
  });

  it("are by label too, of the samples that pass the filter, and at most as many as asked for", async () => {
    const { samples, slices, slicesTotal } = await slicesOf(await tenSamples(), {
      by: "label",
      limit: 1,
      filter: { ranges: [{ column: "loss", min: 1, max: 5 }] },
    });
    expect({ samples, slicesTotal }).toEqual({ samples: 5, slicesTotal: 3 });
    expect(slices.map(({ name, samples: count }) => [name, count])).toEqual([["1", 3]]);
  });

  it("have no mean where no sample of the slice has a value", async () => {
    const { slices } = await slicesOf(await tenSamples(), { columns: ["margin"] });
    expect(
      slices.map(({ name, means }) => [name, means[0]?.count, means[0]?.mean, means[0]?.standardError]),
    ).toEqual([
      [null, 0, null, null],
      ["clicks", 1, 1, null],
      ["crawl", 0, null, null],
    ]);
  });
});

import { expect, it } from "vitest";
import type { LookedUp } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { groupDigest, sample, weighIds } from "./records.js";

/** What every store promises of look-ups; `store` is an empty one. */
export function describeLookUps(store: () => Store): void {
  it("find what reading the samples finds, in the order of the ids, of one shape or of several", async () => {
    const odd = 'an id with "quotes", spaces, é and 😀';
    const records = [
      { id: "a", record: sample({ group: groupDigest("usb c cable"), label: [0.25, 0.75] }) },
      { id: odd, record: sample({ model: "other@1", signals: new Map([["entropy", 0.5]]) }) },
      { id: "é".repeat(128), record: sample({ label: 0.1, signals: new Map() }) },
      { id: "late", record: sample({ label: null, directions: ["v@0a1b2c3d", "1 × w@4e5f6a7b"] }) },
    ];
    await store().writeSamples("d", records.slice(0, 3));
    const ids = records.slice(0, 3).map(({ id }) => id);
    await weighIds(store(), "d", { ids, weights: Float64Array.of(0.5, 0, 0.1) }, { by: "loss" });
    await store().writeSamples("d", records.slice(3));
    await expectSameAsReading(["late", "missing", odd, "é".repeat(128), "a", "a", "É"]);
    expect((await store().lookUp("d", ["a"]))?.snapshot).toMatchObject({
      version: 1,
      provenance: { by: "loss" },
    });
  });

  it("find thousands at once", async () => {
    const records = Array.from({ length: 2500 }, (_, index) => ({
      id: `s${index}`,
      record: sample({ signals: new Map([["loss", index]]) }),
    }));
    await store().writeSamples("d", records);
    await expectSameAsReading(Array.from({ length: 3500 }, (_, index) => `s${(index * 7) % 4000}`));
  });

  it("find nothing in a dataset that is unknown, and no row for no ids", async () => {
    expect(await store().lookUp("unknown", ["a"])).toBeNull();
    await store().writeSamples("d", [{ id: "a", record: sample() }]);
    expect((await store().lookUp("d", []))?.shapeOf).toHaveLength(0);
    expect((await store().lookUp("d", ["a"]))?.snapshot).toBeNull();
  });

  async function expectSameAsReading(ids: readonly string[]): Promise<void> {
    const read = await store().readSamples("d", ids);
    const found = (await store().lookUp("d", ids)) as LookedUp;
    const rows = ids.map((_, index) => {
      const shape = found.shapes[found.shapeOf[index] as number];
      if (shape === undefined) return null;
      const row = found.signals.subarray(index * found.signalsMax, (index + 1) * found.signalsMax);
      const weight = found.weights[index] as number;
      return {
        model: shape.model,
        loss: shape.loss,
        directions: shape.directions,
        signals: new Map(shape.signals.map((name, s) => [name, row[s]])),
        weight: Number.isNaN(weight) ? null : weight,
      };
    });
    expect(rows).toEqual(
      read.map((each) => {
        if (each === null) return null;
        const { model, loss, directions, signals } = each.record;
        return { model, loss, directions, signals, weight: each.weight };
      }),
    );
  }
}

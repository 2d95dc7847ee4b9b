import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Store } from "../../../src/store/port.js";
import { type OpenStore, outputs, outputsKey } from "./records.js";

/** What every store promises of the key of its digests; `store` is an empty one, `open` opens its place again. */
export function describeDigestKey(store: () => Store, open: OpenStore): void {
  it("is 32 bytes, the same for all who open the store at once and after a reopening", async () => {
    const others = await Promise.all([open(), open()]);
    const keys = await Promise.all([store(), ...others].map((each) => each.digestKey()));
    expect(keys[0]).toHaveLength(32);
    expect(keys[1]?.equals(keys[0] as Buffer)).toBe(true);
    expect(keys[2]?.equals(keys[0] as Buffer)).toBe(true);
    await store().close();
    expect((await (await open()).digestKey()).equals(keys[0] as Buffer)).toBe(true);
  });

  it("is the given one where one is given, and that one is not kept", async () => {
    const given = randomBytes(32);
    const configured = await open({ digestKey: given });
    expect((await configured.digestKey()).equals(given)).toBe(true);
    expect((await store().digestKey()).equals(given)).toBe(false);
  });
}

/** What every store promises of outputs. */
export function describeOutputs(store: () => Store, open: OpenStore): void {
  it("come back in the order of the keys, null where unknown", async () => {
    const [first, second, unknown] = [outputsKey(), outputsKey(), outputsKey()];
    const one = { logits: Float32Array.of(1.5), featureNormSquared: 0.1, truncated: false };
    const three = {
      logits: Float32Array.of(-1, 0, 3.25),
      featureNormSquared: 1e20,
      truncated: true,
    };
    await store().writeOutputs([
      { key: first, record: one },
      { key: second, record: three },
    ]);
    const read = await store().readOutputs([second, unknown, first, second]);
    expect(read).toEqual([
      { ...three, featureNormSquared: Math.fround(1e20) },
      null,
      { ...one, featureNormSquared: Math.fround(0.1) },
      { ...three, featureNormSquared: Math.fround(1e20) },
    ]);
  });

  it("are empty lists for no keys, and writing none is no fault", async () => {
    await store().writeOutputs([]);
    expect(await store().readOutputs([])).toEqual([]);
  });

  it("can be read while they are being written", async () => {
    const entries = Array.from({ length: 300 }, (_, i) => ({ key: outputsKey(), record: outputs(i) }));
    const written = store().writeOutputs(entries);
    const read = await store().readOutputs(entries.map(({ key }) => key));
    expect(read).toEqual(entries.map(({ record }) => record));
    await written;
  });

  it("give way to records of the same key with more parts", async () => {
    const key = outputsKey();
    const larger = {
      ...outputs(2),
      gram: Float32Array.of(7),
      tangent: Float32Array.of(-1.5),
      features: Float32Array.from({ length: 384 }, (_, i) => i / 512),
    };
    for (const record of [outputs(2), larger]) await store().writeOutputs([{ key, record }]);
    expect(await store().readOutputs([key])).toEqual([larger]);
  });

  it("can be written twice", async () => {
    const entry = { key: outputsKey(), record: outputs(2) };
    await Promise.all([store().writeOutputs([entry]), store().writeOutputs([entry, entry])]);
    expect(await store().readOutputs([entry.key])).toEqual([entry.record]);
  });

  it("are known for as long as they are to be kept", async () => {
    // A machine that stalls for longer proves nothing: then once more, with more time.
    for (let outputsTtlMs = 400; ; outputsTtlMs *= 2) {
      const shortLived = await open({ outputsTtlMs });
      const entry = { key: outputsKey(), record: outputs(1) };
      const beganAtMs = Date.now();
      await shortLived.writeOutputs([entry]);
      await sleep(outputsTtlMs / 2);
      const found = await shortLived.readOutputs([entry.key]);
      if (Date.now() - beganAtMs >= outputsTtlMs) continue;
      expect(found).toEqual([entry.record]);
      return;
    }
  });

  it("are forgotten after twice their time at the latest", async () => {
    const shortLived = await open({ outputsTtlMs: 400 });
    const entry = { key: outputsKey(), record: outputs(1) };
    await shortLived.writeOutputs([entry]);
    await sleep(900);
    expect(await shortLived.readOutputs([entry.key])).toEqual([null]);
  });

  it("give way to newer ones when they take too much", async () => {
    const small = await open({ outputsBytesMax: 40_000 });
    const batches = Array.from({ length: 12 }, (_, batch) =>
      Array.from({ length: 100 }, (_, index) => ({
        key: outputsKey(),
        record: outputs(batch * 100 + index),
      })),
    );
    for (const batch of batches) await small.writeOutputs(batch);
    const found = [];
    for (const batch of batches) {
      const read = await small.readOutputs(batch.map(({ key }) => key));
      found.push(read.filter((record) => record !== null).length);
    }
    expect(found[0]).toBe(0);
    expect(found.at(-1)).toBe(100);
  });
}

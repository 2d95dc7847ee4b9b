import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { sample } from "./conformance/records.js";
import { describeStore } from "./conformance.js";

describeStore("embedded store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "assay-store-"));
  return {
    status: {
      kind: "embedded",
      durability: "An acknowledged write is on disk: it survives the end of the process and of the machine.",
    },
    open: (options) => openEmbeddedStore({ directory, ...options }),
    remove: () => rm(directory, { recursive: true }),
  };
});

/** What each of two processes does: batches that overlap with the other's, deletions, snapshots. */
const WRITER = `
const { openEmbeddedStore } = await import(process.argv[1]);
const store = await openEmbeddedStore({ directory: process.argv[2] });
const record = (model) => ({ outputsKey: Buffer.alloc(16), textDigest: null, precision: null, source: null, observed: null, earlier: new Map(), model, loss: "bce", directions: [], label: 1, group: null, signals: new Map(), scoredAtMs: 1 });
for (let batch = 0; batch < 20; batch++) {
  const ids = Array.from({ length: 40 }, (_, index) => String((batch * 20 + index) % 300));
  await store.writeSamples("d", ids.map((id) => ({ id, record: record("m@" + (batch % 3)) })));
  if (batch % 5 === 4) for await (const { incarnation } of store.scanSamples("d")) await store.writeSnapshot("d", { incarnation, weights: new Float64Array(40).fill(1), later: null }, {});
}
await store.deleteSample("d", "7");
await store.close();
`;

describe("embedded store (on the compiled code)", () => {
  it("counts exactly when two processes write to one directory", async () => {
    const directory = await mkdtemp(join(tmpdir(), "assay-store-"));
    const compiled = new URL("../../dist/store/embedded/store.js", import.meta.url).href;
    const write = () =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", WRITER, compiled, directory]);
    try {
      await Promise.all([write(), write()]);
      const store = await openEmbeddedStore({ directory });
      let scanned = 0;
      for await (const chunk of store.scanSamples("d")) scanned += chunk.count;
      const summary = await store.readDataset("d");
      expect(summary?.samples).toBe(scanned);
      expect(scanned).toBeGreaterThanOrEqual(299);
      expect([...(summary?.samplesByModel.keys() ?? [])].sort()).toEqual(["m@0", "m@1", "m@2"]);
      expect([...(summary?.samplesByModel.values() ?? [])].reduce((a, b) => a + b)).toBe(scanned);
      expect(summary?.snapshot?.version).toBe(8);
      await store.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("refuses writes, and is not ready, once its directory was removed or replaced", async () => {
    const directory = await mkdtemp(join(tmpdir(), "assay-store-"));
    const store = await openEmbeddedStore({ directory });
    await store.writeSamples("d", [{ id: "a", record: sample() }]);
    await rm(directory, { recursive: true });
    const removed = { code: "store_unavailable", message: expect.stringContaining("restart Assay") };
    for (const again of [false, true]) {
      if (again) await (await openEmbeddedStore({ directory })).close();
      await expect(store.writeSamples("d", [{ id: "b", record: sample() }])).rejects.toMatchObject(removed);
      await expect(store.deleteDataset("d")).rejects.toMatchObject(removed);
      await expect(store.status()).rejects.toMatchObject(removed);
      expect((await store.readSamples("d", ["a"]))[0]).not.toBeNull();
    }
    await store.close();
    await rm(directory, { recursive: true });
  });

  it("refuses a directory that it cannot use, by name", async () => {
    const parent = await mkdtemp(join(tmpdir(), "assay-store-"));
    try {
      const directory = join(parent, "file", "inside");
      await writeFile(join(parent, "file"), "");
      await expect(openEmbeddedStore({ directory })).rejects.toMatchObject({
        code: "store_unavailable",
        message: expect.stringContaining(directory),
      });
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});

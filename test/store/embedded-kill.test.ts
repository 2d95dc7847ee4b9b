import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LookedUp } from "../../src/store/dataset-records.js";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { temporaryFolder } from "../support/app.js";
import { LONG } from "../support/load.js";
import { scanAll } from "./conformance/records.js";

const ROUNDS = LONG ? 50 : 4;
const BATCH = 200;

/** Writes batches, weighs the first of them again and again, deletes some; says on a line of its own what was acknowledged. */
const WRITER = `
const [module, directory, first] = process.argv.slice(1);
const { openEmbeddedStore } = await import(module);
const store = await openEmbeddedStore({ directory });
const record = (batch) => ({ outputsKey: Buffer.alloc(16), textDigest: null, precision: null, source: null, observed: null, earlier: new Map(), model: "m@" + (batch % 3), loss: "bce", directions: [], label: batch, group: null, signals: new Map([["loss", batch]]), scoredAtMs: 1 });
const ids = (batch) => Array.from({ length: ${BATCH} }, (_, index) => batch + "-" + index);
let incarnation;
for (let batch = Number(first); ; batch++) {
  await store.writeSamples("d", ids(batch).map((id) => ({ id, record: record(batch) })));
  process.stdout.write("batch " + batch + "\\n");
  if (incarnation === undefined) for await (const chunk of store.scanSamples("d")) incarnation = chunk.incarnation;
  // The samples of the first batch have the first numbers.
  const weights = new Float64Array(${BATCH}).fill(batch + 1);
  void store.writeSnapshot("d", { incarnation, weights, later: null }, { value: batch + 1 }).then(({ version }) => process.stdout.write("snapshot " + version + "\\n"), () => undefined);
}
`;

describe("embedded store (on the compiled code)", () => {
  it(`loses nothing acknowledged in ${ROUNDS} kills`, { timeout: 20_000 * ROUNDS }, async () => {
    const directory = temporaryFolder();
    const compiled = new URL("../../dist/store/embedded/store.js", import.meta.url).href;
    let batches = 0;
    let snapshots = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const writer = spawn(
        process.execPath,
        ["--input-type=module", "-e", WRITER, compiled, directory, String(batches)],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let said = "";
      writer.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      const ended = once(writer, "close");
      await once(writer.stdout, "data");
      await delay(30 + 400 * Math.random());
      writer.kill("SIGKILL");
      await ended;
      const lines = said.split("\n").slice(0, -1);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) {
        const [what, number] = line.split(" ");
        if (what === "batch") batches = Number(number) + 1;
        else snapshots = Math.max(snapshots, Number(number));
      }

      const store = await openEmbeddedStore({ directory });
      const summary = await store.readDataset("d");
      const seen = new Map<string, number>();
      for (const { id, record } of await scanAll(store, "d")) seen.set(id, record.label as number);
      // A batch that was not acknowledged is there whole or not at all.
      expect([batches * BATCH, (batches + 1) * BATCH]).toContain(seen.size);
      for (const [id, label] of seen) expect(id.startsWith(`${label}-`)).toBe(true);
      expect(summary?.samples).toBe(seen.size);
      expect([...(summary?.samplesByModel.values() ?? [])].reduce((a, b) => a + b)).toBe(seen.size);
      expect(summary?.snapshot?.version ?? 0).toBeGreaterThanOrEqual(snapshots);
      const first = Array.from({ length: BATCH }, (_, index) => `0-${index}`);
      const { weights, snapshot } = (await store.lookUp("d", first)) as LookedUp;
      expect(new Set(weights)).toEqual(new Set([snapshot?.provenance.value ?? Number.NaN]));
      await store.close();
    }
  });
});

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Lifetime } from "../lifetime.js";
import type { SampleStore } from "../port.js";
import { scannedSamples } from "../scanned.js";
import type { DatasetEntries } from "./dataset-entries.js";
import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Samples that a scan reads in one turn of the event loop. */
const CHUNK = 1000;

/** Reads every sample of a dataset in the order of the ids' bytes. */
export function openScan(
  { samples }: Pick<Environment, "samples">,
  datasets: DatasetEntries,
  { run }: Lifetime,
): SampleStore["scanSamples"] {
  return async function* scanSamples(dataset) {
    const entry = await run(() => datasets.read(dataset));
    if (entry === null) return;
    const { incarnation } = entry;
    const end = after(incarnation);
    for (let start: Buffer | null = incarnation; start !== null; ) {
      const from: Buffer = start;
      const found = await run(() => {
        const current = datasets.read(dataset);
        if (current === null || !current.incarnation.equals(incarnation)) return null;
        const rows = [...samples.getRange({ start: from, end, limit: CHUNK })];
        return { rows, shapes: datasets.shapes(current) };
      });
      if (found === null) return;
      const { rows, shapes } = found;
      const last = rows.at(-1);
      if (last !== undefined)
        yield scannedSamples(incarnation.toString("hex"), shapes, rows, (row) =>
          row.key.toString("utf8", incarnation.length),
        );
      start = rows.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
      await nextTurn();
    }
  };
}

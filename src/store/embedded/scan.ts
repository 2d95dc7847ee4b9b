import { giveTurn } from "../../observe/turns.js";
import type { SampleStore } from "../dataset-port.js";
import type { Lifetime } from "../lifetime.js";
import type { SampleView } from "../look-up.js";
import { scannedSamples } from "../scanned.js";
import type { WeightColumns } from "../weight-columns.js";
import type { DatasetEntries } from "./dataset-entries.js";
import type { DatasetEntry } from "./dataset-entry.js";
import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Samples that a scan reads at once, which takes some milliseconds. */
const CHUNK = 1000;

interface ScanNeeds {
  readonly datasets: DatasetEntries;
  readonly weightColumns: WeightColumns;
  /** @param version of the snapshot to read; null: none */
  viewOf(dataset: string, entry: DatasetEntry, version: number | null): SampleView;
}

/** Reads every sample of a dataset in the order of the ids' bytes. */
export function openScan(
  { samples }: Pick<Environment, "samples">,
  { datasets, weightColumns, viewOf }: ScanNeeds,
  { run }: Lifetime,
): SampleStore["scanSamples"] {
  return async function* scanSamples(dataset, version) {
    const entry = await run(() => datasets.read(dataset));
    if (entry === null) return;
    const { incarnation } = entry;
    const end = after(incarnation);
    for (let start: Buffer | null = incarnation; start !== null; ) {
      const from: Buffer = start;
      await giveTurn();
      const found = await run(async () => {
        const current = datasets.read(dataset);
        if (current === null || !current.incarnation.equals(incarnation)) return null;
        const rows = [...samples.getRange({ start: from, end, limit: CHUNK })];
        const view = viewOf(dataset, current, version ?? null);
        const idOf = ({ key }: { key: Buffer; value: Buffer }): string =>
          key.toString("utf8", incarnation.length);
        return { rows, scanned: await scannedSamples(dataset, view, weightColumns, { rows, idOf }) };
      });
      if (found === null) return;
      const { rows, scanned } = found;
      const last = rows.at(-1);
      if (last !== undefined) yield scanned;
      start = rows.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
    }
  };
}

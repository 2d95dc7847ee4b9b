// The least that a writing of observations costs: for each sample the reads and puts of ours, with values of the same size, and
// one commit a batch. node bare-lmdb.mjs ORDER COUNT prints a JSON line for new ids and one for the same ids again.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { BATCH, idsOf } from "./ids.mjs";

const [order, count] = [process.argv[2], Number(process.argv[3])];
/** A record with its 11 signals; a history of one and of two checkpoints. */
const SAMPLE = Buffer.alloc(56);
const HISTORIES = { new: Buffer.alloc(5), again: Buffer.alloc(8) };
/** A dataset to warm up with, and the one that is measured. */
const DATASETS = ["warm", "done"].map((name) => Buffer.from(name));

const directory = mkdtempSync(join(tmpdir(), "assay-bulk-"));
const root = open({
  path: directory,
  noSubdir: false,
  overlappingSync: false,
  eventTurnBatching: false,
  maxDbs: 32,
});
const table = (name) => root.openDB(name, { keyEncoding: "binary", encoding: "binary" });
const [samples, histories, datasets] = ["samples", "histories", "datasets"].map(table);
const key = Buffer.alloc(4 + 12);
const historyKey = Buffer.alloc(4 + 4);
const keyOf = (id) => {
  key.latin1Write(id, 4);
  return key;
};
const historyKeyOf = (number) => {
  historyKey.writeUInt32BE(number, 4);
  return historyKey;
};

const ids = idsOf(order, count);
for (const dataset of DATASETS) {
  dataset.copy(key);
  dataset.copy(historyKey);
  for (const pass of ["new", "again"]) {
    const times = await write(dataset, HISTORIES[pass]);
    if (dataset === DATASETS.at(-1)) console.log(JSON.stringify({ pass, ...times }));
  }
}
await root.close();
rmSync(directory, { recursive: true });

async function write(dataset, history) {
  const before = process.cpuUsage();
  const startedAtMs = performance.now();
  for (let start = 0; start < count; start += BATCH) {
    root.resetReadTxn();
    const end = Math.min(start + BATCH, count);
    for (let index = start; index < end; index++)
      if (samples.getBinaryFast(keyOf(ids[index])) !== undefined)
        histories.getBinaryFast(historyKeyOf(index));
    await datasets.batch(() => {
      for (let index = start; index < end; index++) samples.put(keyOf(ids[index]), SAMPLE);
      for (let index = start; index < end; index++) histories.put(historyKeyOf(index), history);
      datasets.put(dataset, Buffer.alloc(200));
    });
  }
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - startedAtMs, cpuMs: (user + system) / 1000 };
}

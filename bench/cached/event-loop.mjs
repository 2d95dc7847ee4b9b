// The longest time for which one request keeps the event loop from others: 2,048 cached samples with a dataset, and a
// look-up of 10,000 ids, one request at a time over a model that answers at once.
//   npm run build && node bench/cached/event-loop.mjs [--dist dist]
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startInstantApp } from "./instant-app.mjs";
import { startClient } from "./places.mjs";

const REQUESTS = 60;
const { values: flags } = parseArgs({ options: { dist: { type: "string", default: "dist" } } });
const { port, close } = await startInstantApp(resolve(flags.dist));
const client = startClient();

const samples = Array.from({ length: 2048 }, (_, index) => ({
  id: `s${index}`,
  query: "usb c cable 2 m",
  document: `USB-C to USB-C charging cable, 2 m, 60 W, braided, black, no. ${index}`,
  label: index % 2,
}));
const ids = Array.from({ length: 10_000 }, (_, index) => `s${index % 4096}`);
for (const [name, path, body] of [
  ["2,048 cached samples", "/v1/score", { samples }],
  ["2,048 cached samples, remembered", "/v1/score", { samples, dataset: "d" }],
  ["a look-up of 10,000 ids", "/v1/datasets/d/lookup", { ids }],
]) {
  const job = { port, path, bodies: [JSON.stringify(body)], connections: 1 };
  await client.run({ ...job, durationMs: 1000 });
  const longestMs = [];
  for (let request = 0; request < REQUESTS; request++) {
    const watch = watchLoop();
    const { statuses } = await client.run({ ...job, durationMs: 20 });
    longestMs.push(watch.stop());
    if (Object.keys(statuses).join() !== "200")
      throw new Error(`${path} answered ${JSON.stringify(statuses)}`);
  }
  longestMs.sort((a, b) => a - b);
  const at = (share) => longestMs[Math.floor((longestMs.length - 1) * share)].toFixed(1);
  console.log(
    `${name}: longest turn of the loop ${at(0.5)} ms at the median, ${at(0.95)} at p95, ${at(1)} at most`,
  );
}
client.stop();
await close();

/** Longest time between two turns of the event loop, in milliseconds. */
function watchLoop() {
  let longestMs = 0;
  let beforeMs = performance.now();
  let watching = true;
  const look = () => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - beforeMs);
    beforeMs = nowMs;
    if (watching) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop() {
      watching = false;
      return longestMs;
    },
  };
}

import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { type Json, post } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

/** Files of the service grow no larger, as on a full disk: enough for a few batches. `prlimit` can take the limit away again. */
const LIMITED = ["bash", "-c", 'ulimit -S -f 600; exec "$0" "$@"'];

let batches = 0;
/** A batch of samples that no one has sent before; the texts are few, so that the model has little to do. */
async function score(service: Service): Promise<{ status: number; code: string | undefined; ids: string[] }> {
  const batch = batches++;
  const samples = Array.from({ length: 500 }, (_, index) => ({
    id: `s${batch}-${index}`,
    query: "usb c cable",
    document: `USB-C cable no. ${index % 5}`,
    label: index % 2,
  }));
  const { status, body } = await post(service, "/v1/score", { dataset: "d", samples });
  return { status, code: body.code, ids: status === 200 ? samples.map(({ id }) => id) : [] };
}

async function fill(service: Service): Promise<string[]> {
  const acknowledged: string[] = [];
  for (;;) {
    const { status, code, ids } = await score(service);
    acknowledged.push(...ids);
    if (status === 200) continue;
    expect({ status, code }).toEqual({ status: 503, code: "store_full" });
    return acknowledged;
  }
}

async function readiness({ url }: Service): Promise<{ status: number; store: Json }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, store: ((await response.json()) as Json).store };
}

async function expectAll(service: Service, ids: readonly string[]): Promise<void> {
  const { body } = await post(service, "/v1/datasets/d/lookup", { ids });
  expect(body.results.map((each: Json) => each?.id)).toEqual(ids);
}

describe("the service on a full disk", () => {
  it("refuses writes, does all else, and goes on by itself when there is room, also after a restart", async () => {
    const dataDir = temporaryFolder();
    const first = await startService({ dataDir, through: LIMITED });
    const acknowledged = await fill(first);
    expect(acknowledged.length).toBeGreaterThan(0);
    const refused = await Promise.all(Array.from({ length: 12 }, () => score(first)));
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(["store_full"]));

    const full = { status: 503, store: { ready: false, detail: expect.stringContaining("free some space") } };
    expect(await readiness(first)).toMatchObject(full);
    const weighting = { signal: "loss", scheme: "rank" };
    const weighed = await post(first, "/v1/datasets/d/weights", { weighting });
    const { body } = await post(first, "/v1/datasets/d/lookup", { ids: acknowledged.slice(0, 1) });
    // A column of weights is small, so it may still fit into pages that were used before. Then its weights are there.
    const outcome = { status: weighed.status, code: weighed.body.code, weight: body.results[0].weight };
    expect([
      { status: 503, code: "store_full", weight: null },
      { status: 200, code: undefined, weight: expect.any(Number) },
    ]).toContainEqual(outcome);
    const scored = await post(first, "/v1/score", {
      samples: [{ query: "new", document: "text", label: 1 }],
    });
    expect(scored.status).toBe(200);
    await expectAll(first, acknowledged);
    expect(await first.stop()).toBe(0);

    const second = await startService({ dataDir, through: LIMITED });
    expect(await readiness(second)).toMatchObject(full);
    await expectAll(second, acknowledged);
    acknowledged.push(...(await fill(second))); // one may still fit into pages that were used before

    execFileSync("prlimit", ["--pid", String(second.process.pid), "--fsize=unlimited"]);
    while ((await readiness(second)).status !== 200) await delay(100);
    const { status, ids } = await score(second);
    expect(status).toBe(200);
    await expectAll(second, [...acknowledged, ...ids]);
    expect(await second.stop()).toBe(0);
  });
});

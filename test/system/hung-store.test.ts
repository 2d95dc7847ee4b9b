import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { type Json, post } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

/** Opens the folder, begins a write, and stops in the midst of it. */
const HOLDER = `
const { open } = await import("lmdb");
const root = open({ path: process.argv[1], noSubdir: false, overlappingSync: false, maxDbs: 12 });
root.transactionSync(() => {
  process.stdout.write("holds");
  process.kill(process.pid, "SIGSTOP");
});
`;

/** A second process on the folder that holds LMDB's lock until it is told to go on. */
async function holdLock(directory: string): Promise<{ letGo(): Promise<void> }> {
  const holder = spawn(process.execPath, ["--input-type=module", "-e", HOLDER, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  return {
    async letGo() {
      holder.kill("SIGCONT");
      await once(holder, "exit");
    },
  };
}

const sample = { id: "a", query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 };

async function timed({ url }: Service, path: string, body?: object, timeoutMs?: number) {
  const startedAtMs = Date.now();
  const response = await fetch(url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      "content-type": "application/json",
      ...(timeoutMs !== undefined && { "assay-timeout-ms": String(timeoutMs) }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: Json = await response.json();
  return { status: response.status, code: answer.code, ms: Date.now() - startedAtMs, answer };
}

describe("the service while another process holds the lock of its store", () => {
  it("keeps deadlines, says that it is not ready, scores without a dataset, and resumes by itself", async () => {
    const dataDir = temporaryFolder();
    const service = await startService({ dataDir });
    expect((await post(service, "/v1/score", { dataset: "d", samples: [sample] })).status).toBe(200);
    const lock = await holdLock(dataDir);
    await delay(1100); // what was written lately counts as ready

    const text = (document: string) => ({ samples: [{ ...sample, document }] });
    const [late, free, ready] = await Promise.all([
      timed(service, "/v1/score", { dataset: "d", ...text("one") }, 1000),
      timed(service, "/v1/score", text("two"), 5000),
      timed(service, "/readyz"),
    ]);
    expect(late).toMatchObject({ status: 504, code: "deadline_exceeded" });
    expect(late.ms).toBeLessThan(2500);
    expect(free.status).toBe(200);
    expect(ready).toMatchObject({ status: 503, answer: { store: { ready: false } } });
    expect(ready.answer.store.detail).toMatch(/lock/);
    expect(ready.ms).toBeLessThan(4500);

    const patient = await timed(service, "/v1/score", { dataset: "d", ...text("three") });
    expect(patient).toMatchObject({ status: 503, code: "store_unavailable" });
    const weighing = { weighting: { signal: "loss", scheme: "rank" } };
    const weighed = await timed(service, "/v1/datasets/d/weights", weighing, 1000);
    expect([503, 504]).toContain(weighed.status);
    expect((await timed(service, "/v1/datasets/d/lookup", { ids: ["a"] })).status).toBe(200);

    await lock.letGo();
    while ((await timed(service, "/readyz")).status !== 200) await delay(50);
    expect((await post(service, "/v1/score", { dataset: "d", ...text("four") })).status).toBe(200);
    expect(await service.stop()).toBe(0);
  });

  it("ends on SIGTERM all the same", async () => {
    const dataDir = temporaryFolder();
    const service = await startService({ dataDir });
    await holdLock(dataDir);
    const written = timed(service, "/v1/score", { dataset: "d", samples: [sample] });
    expect(await written).toMatchObject({ status: 503 });
    const ended = once(service.process, "exit");
    service.process.kill("SIGTERM");
    await ended;
    expect(service.output()).toContain("Assay closes on SIGTERM");
  });
});

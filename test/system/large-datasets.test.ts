import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { temporaryFolder } from "../support/app.js";
import { anonymousBytes, type Cost, costOf, fillDataset } from "../support/large-dataset.js";
import { LONG } from "../support/load.js";
import { post } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

/** `ASSAY_TEST_SAMPLES=10000000 npm run test:long`, and `ASSAY_TEST_FOLDER` to fill a folder once and keep it. */
const SAMPLES = Number(process.env.ASSAY_TEST_SAMPLES ?? (LONG ? 1_000_000 : 20_000));
const FOLDER = process.env.ASSAY_TEST_FOLDER;

async function serviceWith(samples: number): Promise<Service> {
  const dataDir = FOLDER ?? temporaryFolder();
  if (!existsSync(join(dataDir, "data.mdb"))) {
    const store = await openEmbeddedStore({ directory: dataDir });
    await fillDataset(store, "d", samples);
    await store.close();
  }
  return startService({ dataDir });
}

function report(what: string, { seconds, answeringSeconds, bytesOverIdle, loopPauseMs }: Cost): void {
  console.log(
    `${what}: ${seconds.toFixed(2)} s, ${(bytesOverIdle / SAMPLES).toFixed(1)} bytes a sample, loop held ${loopPauseMs.toFixed(1)} ms, main thread ${answeringSeconds} s`,
  );
}

/** Selects, and reads the answer as it comes: what JSON.parse takes is not the service's. */
async function select({ url }: Service, selection: object): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/v1/datasets/d/select`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(selection),
  });
  return { status: response.status, text: await response.text() };
}

const MILLION = 1_000_000;
const HALF = Math.floor(SAMPLES / 2);
/** What the thread of jobs takes by itself, with its store and its young objects. */
const THREAD_BYTES = 128 * 2 ** 20;

const SELECTIONS: readonly object[] = [
  { method: "top", signal: "loss", size: HALF },
  { method: "sample", signal: "loss", size: HALF, seed: 1 },
  { method: "poisson", signal: "loss", size: HALF, seed: 1 },
  { method: "infobatch", signal: "loss", seed: 1 },
  { method: "poisson", signal: "loss", size: HALF, seed: 1, stratify_by: "label" },
];

describe(`a dataset of ${SAMPLES} samples`, () => {
  it("is weighed and selected from in time and memory while others are answered", {
    timeout: 3_600_000,
  }, async () => {
    const service = await serviceWith(SAMPLES);
    const idle = anonymousBytes(service);
    for (const scheme of ["proportional", "rank"]) {
      const { answer, cost } = await costOf(service, idle, () =>
        post(service, "/v1/datasets/d/weights", { weighting: { signal: "loss", scheme } }),
      );
      expect(answer).toMatchObject({ status: 200, body: { snapshot: { samples: SAMPLES } } });
      report(scheme, cost);
      expect(cost.bytesOverIdle).toBeLessThan(40 * SAMPLES + THREAD_BYTES);
      // The aim is 3 s a million; a machine that does something else at the time may take twice as long.
      expect(cost.seconds).toBeLessThan(5 + (6 * SAMPLES) / MILLION);
      expect(cost.answeringSeconds).toBeLessThan(0.2 + (0.05 * SAMPLES) / MILLION);
    }
    for (const selection of SAMPLES > MILLION ? [] : SELECTIONS) {
      const { answer, cost } = await costOf(service, idle, () => select(service, selection));
      expect(answer.status, answer.text.slice(0, 500)).toBe(200);
      const ids = answer.text.split('"id":').length - 1;
      expect(answer.text).toContain(`"selected":${ids},`);
      report(JSON.stringify(selection), cost);
      expect(cost.bytesOverIdle).toBeLessThan(400 * SAMPLES + THREAD_BYTES);
    }
  });
});

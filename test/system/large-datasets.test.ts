import { describe, expect, it } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import { temporaryFolder } from "../support/app.js";
import { type Cost, costOf, fillDataset } from "../support/large-dataset.js";
import { LONG } from "../support/load.js";
import { post } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

/** `ASSAY_TEST_SAMPLES=10000000 npm run test:long` for a size of your own. */
const SAMPLES = Number(process.env.ASSAY_TEST_SAMPLES ?? (LONG ? 1_000_000 : 20_000));

async function serviceWith(samples: number): Promise<Service> {
  const dataDir = temporaryFolder();
  const store = await openEmbeddedStore({ directory: dataDir });
  const startedAtMs = performance.now();
  await fillDataset(store, "d", samples);
  console.log(`filled ${samples} in ${(performance.now() - startedAtMs) / 1000} s`);
  await store.close();
  return startService({ dataDir });
}

function report(what: string, { seconds, bytesOverIdle, loopPauseMs }: Cost): void {
  console.log(
    `${what}: ${seconds.toFixed(2)} s, ${(bytesOverIdle / SAMPLES).toFixed(1)} bytes a sample, loop held ${loopPauseMs.toFixed(1)} ms`,
  );
}

describe(`a dataset of ${SAMPLES} samples`, () => {
  it("is weighed", { timeout: 3_600_000 }, async () => {
    const service = await serviceWith(SAMPLES);
    for (const scheme of ["proportional", "rank", "proportional"]) {
      const { answer, cost } = await costOf(service, () =>
        post(service, "/v1/datasets/d/weights", { weighting: { signal: "loss", scheme } }),
      );
      expect(answer.status).toBe(200);
      report(scheme, cost);
    }
  });
});

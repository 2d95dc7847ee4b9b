import { expect, it, onTestFinished } from "vitest";
import { openJobs } from "../../../src/jobs/in-process/jobs.js";
import { openThreadExecutor } from "../../../src/jobs/in-process/thread-executor.js";
import { openEmbeddedStore } from "../../../src/store/embedded/store.js";
import { sample } from "../../store/conformance/records.js";
import { temporaryFolder } from "../../support/app.js";
import { until } from "../../support/until.js";

const waits = new AbortController().signal;
const SETTINGS = {
  redisUrl: undefined,
  digestKey: Buffer.alloc(32, 7),
  outputsDays: 1,
  outputsBytesMax: 2 ** 20,
};

it("weighs in a thread with a store of its own, which the service's store reads at once", async () => {
  const dataDir = temporaryFolder();
  const store = await openEmbeddedStore({ directory: dataDir });
  const executor = openThreadExecutor({ ...SETTINGS, dataDir });
  const jobs = openJobs({ executor });
  onTestFinished(async () => {
    await jobs.close();
    await store.close();
  });
  const ids = Array.from({ length: 3000 }, (_, index) => `s${index}`);
  const records = ids.map((id, index) => ({
    id,
    record: sample({ signals: new Map([["loss", index + 1]]) }),
  }));
  await store.writeSamples("d", records);
  const weigh = (dataset: string, signal: "loss" | "entropy") => {
    const weighting = { signal, scheme: "proportional" } as const;
    return jobs.begin("weigh", {
      dataset,
      weighting,
      served: ["default@0123456789ab"],
      idempotencyKey: null,
    });
  };

  const done = weigh("d", "loss");
  const { snapshot, diagnostics, advice } = await jobs.result(done.id, "weigh", waits);
  expect(snapshot).toMatchObject({ version: 1, samples: 3000 });
  expect(diagnostics.tau).toBeGreaterThan(1);
  expect(advice).toEqual(diagnostics.advice);
  const { weights } = (await store.lookUp("d", ["s0", "s2999"])) ?? { weights: new Float64Array() };
  expect((weights[1] as number) / (weights[0] as number)).toBeCloseTo(3000, 2);

  // Errors of the work cross the border with their code and their faults.
  const lacking = weigh("d", "entropy");
  await expect(jobs.result(lacking.id, "weigh", waits)).rejects.toMatchObject({
    code: "unsuitable_signal",
    faults: [{ path: "/weighting/signal", message: expect.stringContaining("3000 of 3000 samples") }],
  });
  const gone = weigh("gone", "loss");
  await expect(jobs.result(gone.id, "weigh", waits)).rejects.toMatchObject({ code: "dataset_not_found" });
});

it("hears during a draw that its job is cancelled", async () => {
  const dataDir = temporaryFolder();
  const store = await openEmbeddedStore({ directory: dataDir });
  const jobs = openJobs({ executor: openThreadExecutor({ ...SETTINGS, dataDir }) });
  onTestFinished(async () => {
    await jobs.close();
    await store.close();
  });
  const ids = Array.from({ length: 3000 }, (_, index) => `s${index}`);
  await store.writeSamples(
    "d",
    ids.map((id, index) => ({ id, record: sample({ signals: new Map([["loss", index + 1]]) }) })),
  );
  const selection = { method: "sample", size: 100_000_000, signal: "loss", seed: 0 } as const;
  const { id } = jobs.begin("select", { dataset: "d", selection, served: [] });
  await until(async () => expect(jobs.read(id).progress).toBeGreaterThan(0.76));
  jobs.cancel(id);
  await expect(jobs.result(id, "select", waits)).rejects.toMatchObject({ code: "cancelled" });
  expect(jobs.read(id).state).toBe("cancelled");
});

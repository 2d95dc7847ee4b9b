import { describe, expect, it, onTestFinished } from "vitest";
import { AssayError } from "../../../src/errors.js";
import type { Executor } from "../../../src/jobs/in-process/executor.js";
import { openJobs } from "../../../src/jobs/in-process/jobs.js";
import type { WorkResult } from "../../../src/jobs/kinds.js";
import type { Job, Jobs } from "../../../src/jobs/port.js";
import { until } from "../../support/until.js";

const input = (dataset: string) => ({
  dataset,
  weighting: { signal: "loss", scheme: "rank" } as const,
  served: [],
  idempotencyKey: null,
});
const waits = new AbortController().signal;

/** Work that ends when the test says so, by the name of its dataset. */
function handWork(): { executor: Executor; started: string[]; end(dataset: string, error?: Error): void } {
  const ends = new Map<string, (error?: Error) => void>();
  const started: string[] = [];
  const executor: Executor = {
    run: (_kind, { dataset }, { signal, onProgress }) =>
      new Promise((resolve, reject) => {
        started.push(dataset);
        onProgress(0.5);
        signal.addEventListener("abort", () => reject(signal.reason));
        const result = { snapshot: { version: 1 } } as WorkResult<typeof _kind>;
        ends.set(dataset, (error) => (error === undefined ? resolve(result) : reject(error)));
      }),
    close: async () => undefined,
  };
  return { executor, started, end: (dataset, error) => ends.get(dataset)?.(error) };
}

function open(options: Parameters<typeof openJobs>[0]): Jobs {
  const jobs = openJobs(options);
  onTestFinished(() => jobs.close());
  return jobs;
}

describe("jobs of a process", () => {
  it("run one after another in the order in which they began, and tell their progress", async () => {
    const { executor, started, end } = handWork();
    const jobs = open({ executor });
    const [a, b] = ["a", "b"].map((dataset) => jobs.begin("weigh", input(dataset))) as [Job, Job];
    await until(async () => expect(jobs.read(a.id)).toMatchObject({ state: "running", progress: 0.5 }));
    expect(jobs.read(b.id)).toMatchObject({ state: "queued", progress: 0, startedAtMs: null });
    end("a");
    expect(await jobs.result(a.id, "weigh", waits)).toMatchObject({ snapshot: { version: 1 } });
    expect(jobs.read(a.id)).toMatchObject({ state: "done", progress: 1, error: null });
    await until(async () => expect(started).toEqual(["a", "b"]));
    expect(jobs.list().map(({ dataset }) => dataset)).toEqual(["b", "a"]);
    end("b");
  });

  it("are cancelled while they wait and while they run, and then end without a result", async () => {
    const { executor, started } = handWork();
    const jobs = open({ executor });
    const [a, b, c] = ["a", "b", "c"].map((dataset) => jobs.begin("weigh", input(dataset))) as [
      Job,
      Job,
      Job,
    ];
    expect(jobs.cancel(b.id).state).toBe("cancelled");
    jobs.cancel(a.id);
    await expect(jobs.result(a.id, "weigh", waits)).rejects.toMatchObject({ code: "cancelled" });
    await expect(jobs.result(b.id, "weigh", waits)).rejects.toMatchObject({ code: "cancelled" });
    expect(jobs.cancel(a.id).state).toBe("cancelled");
    await until(async () => expect(started).toEqual(["a", "c"]));
    jobs.cancel(c.id);
  });

  it("fail with the error of their work, which the log gets too, and the next one runs", async () => {
    const { executor, end, started } = handWork();
    const failures: [string, AssayError][] = [];
    const jobs = open({ executor, onFailed: ({ dataset }, error) => failures.push([dataset, error]) });
    const [a, b] = ["a", "b"].map((dataset) => jobs.begin("weigh", input(dataset))) as [Job, Job];
    const full = new AssayError("store_full");
    await until(async () => expect(started).toEqual(["a"]));
    end("a", full);
    await expect(jobs.result(a.id, "weigh", waits)).rejects.toBe(full);
    expect(jobs.read(a.id)).toMatchObject({ state: "failed", error: full });
    expect(failures).toEqual([["a", full]]);
    await until(async () => expect(started).toEqual(["a", "b"]));
    end("b", new Error("out of luck"));
    await expect(jobs.result(b.id, "weigh", waits)).rejects.toMatchObject({ code: "internal" });
  });

  it("end when who waited for the result has gone, while they run and while they wait", async () => {
    const { executor, started } = handWork();
    const jobs = open({ executor });
    const controller = new AbortController();
    const begun = ["a", "b"].map((dataset) => jobs.begin("weigh", input(dataset)));
    const results = begun.map(({ id }) => jobs.result(id, "weigh", controller.signal));
    await until(async () => expect(started).toEqual(["a"]));
    const gone = new AssayError("cancelled", { detail: "gone" });
    controller.abort(gone);
    for (const result of results) await expect(result).rejects.toBe(gone);
    await until(async () =>
      expect(jobs.list().map(({ state }) => state)).toEqual(["cancelled", "cancelled"]),
    );
    expect(started).toEqual(["a"]);
  });

  it("keep no result that was given to who waited for it", async () => {
    const { executor, end, started } = handWork();
    const jobs = open({ executor });
    const { id } = jobs.begin("weigh", input("a"));
    const result = jobs.result(id, "weigh", waits);
    await until(async () => expect(started).toEqual(["a"]));
    end("a");
    expect(await result).toMatchObject({ snapshot: { version: 1 } });
    expect(jobs.read(id)).toMatchObject({ state: "done", result: null, error: null });
  });

  it("are forgotten, the oldest first, when their results take too many bytes; the newest is kept", async () => {
    const { executor, end, started } = handWork();
    const jobs = open({ executor, resultsBytesMax: 300 });
    const ids: string[] = [];
    for (const dataset of ["a", "b", "c"]) {
      ids.push(jobs.begin("weigh", input(dataset)).id);
      await until(async () => expect(started).toContain(dataset));
      end(dataset); // 136 bytes
      await until(async () => expect(jobs.list()[0]?.state).toBe("done"));
    }
    expect(jobs.list().map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(() => jobs.read(ids[0] as string)).toThrow(/room of its result \(300 bytes for all\)/);
    const small = open({ executor, resultsBytesMax: 1 });
    const { id } = small.begin("weigh", input("d"));
    await until(async () => expect(started).toContain("d"));
    end("d");
    await until(async () => expect(small.read(id)).toMatchObject({ state: "done", result: {} }));
  });

  it("are refused when those that wait were given too many bytes", async () => {
    const { executor, started } = handWork();
    const jobs = open({ executor, inputsBytesMax: 1500 });
    const large = (dataset: string) => jobs.begin("weigh", { ...input(dataset), served: ["x".repeat(700)] });
    large("a");
    await until(async () => expect(started).toEqual(["a"]));
    large("b");
    expect(() => large("c")).toThrow(expect.objectContaining({ code: "overloaded" }));
  });

  it("are refused when too many wait, and forgotten a while after their end", async () => {
    const { executor, end, started } = handWork();
    const jobs = open({ executor, waitingMax: 1, keptMs: 0 });
    const { id } = jobs.begin("weigh", input("a"));
    await until(async () => expect(started).toEqual(["a"]));
    jobs.begin("weigh", input("b"));
    expect(() => jobs.begin("weigh", input("c"))).toThrow(expect.objectContaining({ code: "overloaded" }));
    end("a");
    await until(async () =>
      expect(() => jobs.read(id)).toThrow(expect.objectContaining({ code: "job_not_found" })),
    );
  });
});

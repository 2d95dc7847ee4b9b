import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openJobs } from "../../src/jobs/in-process/jobs.js";
import { sample } from "../store/conformance/records.js";
import { temporaryFolder, temporaryStore, testApp } from "../support/app.js";
import { until } from "../support/until.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const KEY = "a-key-of-16-characters";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A service with dataset `a/b`, whose sample `s,N` has the loss N, and the command line beside it. */
async function service(apiKeys: readonly string[] = []) {
  const store = await temporaryStore();
  const entries = Array.from({ length: 3000 }, (_, index) => ({
    id: `s,${index}`,
    record: sample({ signals: new Map([["loss", index]]), label: index % 2 }),
  }));
  await store.writeSamples("a/b", entries);
  const app = await testApp({ store, apiKeys });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const folder = temporaryFolder();
  const assay = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
    promisify(execFile)(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...env },
      maxBuffer: 2 ** 24,
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  return { app, store, url, folder, assay };
}

describe("assay select", () => {
  it("writes a row for each sample, as JSON lines or as CSV by the output's name", async () => {
    const { url, folder, assay } = await service();
    const top = ["select", "a/b", "--url", url, "--method", "top", "--signal", "loss", "--size", "2"];
    const lines = await assay(top);
    expect(lines).toMatchObject({ code: 0, stderr: expect.stringContaining("Selected 2 of 3000 samples\n") });
    expect(
      lines.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(["s,2999", "s,2998"].map((id) => ({ id, count: 1, probability: null, multiplier: null })));
    expect(await assay([...top, "-o", "out.csv"])).toMatchObject({ code: 0, stdout: "" });
    expect(readFileSync(join(folder, "out.csv"), "utf8")).toBe(
      'id,count,probability,multiplier\n"s,2999",1,,\n"s,2998",1,,\n',
    );
  });

  it("passes on strata, filters, options and the ids to exclude", async () => {
    const { url, folder, assay } = await service();
    writeFileSync(join(folder, "seen"), `s,2998\n\n{"id":"s,2997","loss":1}\n`);
    const { stdout, code } = await assay(
      `select a/b --url ${url} --method bottom --signal loss --stratify-by label --quota 0=1 --quota 1=2 --range loss:2995.. --exclude seen`.split(
        " ",
      ),
    );
    expect(code).toBe(0);
    const ids = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(["s,2996", "s,2995", "s,2999"]);
    const whole = await assay(
      `select a/b --url ${url} --method infobatch --signal loss --prune 0`.split(" "),
    );
    expect(whole.stdout.split("\n")).toHaveLength(3001);
  });

  it.each(["seen.csv", "seen.ndjson", "seen"])(
    "selects none of the samples of an earlier output: %s",
    async (name) => {
      const { url, store, assay } = await service();
      const odd = ["=1+1", "'-5a", "-7", 'quo"ted', " blank ", "id"];
      const entries = odd.map((id) => ({ id, record: sample({ signals: new Map([["loss", 1e6]]) }) }));
      await store.writeSamples("a/b", entries);
      const select = (options: string) =>
        assay(["select", "a/b", "--url", url, "--method", "top", "--signal", "loss", ...options.split(" ")]);
      const format = name === "seen" ? "csv" : name.slice("seen.".length);
      expect(await select(`--size 7 -o ${name} --format ${format}`)).toMatchObject({ code: 0 });
      const { code, stdout } = await select(`--size 2 --exclude ${name}`);
      const ids = stdout.trimEnd().split("\n");
      expect(code).toBe(0);
      expect(ids.map((line) => JSON.parse(line).id)).toEqual(["s,2998", "s,2997"]);
    },
  );

  it("refuses a CSV file of ids to exclude that has no column id", async () => {
    const { url, folder, assay } = await service();
    for (const [text, reason] of [
      ["s,1\ns,2\n", "seen.csv has no column id"],
      ["id,x\ns\n", "seen.csv: Invalid Record Length"],
    ] as const) {
      writeFileSync(join(folder, "seen.csv"), text);
      const args = ["--method", "poisson", "--size", "1", "--exclude", "seen.csv"];
      const { code, stderr } = await assay(["select", "a/b", "--url", url, ...args]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(reason) });
    }
  });

  it.each<[string, string, string]>([
    [
      "what the service refuses, by the option",
      "--method top --signal loss",
      "assay: --size is required by top",
    ],
    [
      "what only the samples show",
      "--method top --signal loss --size 3001",
      "assay: --size is not possible: 3001 is more",
    ],
    [
      "a range that is none",
      "--method top --signal loss --size 1 --range loss:a..",
      "It must be NAME:MIN..MAX",
    ],
    [
      "a file that is not there",
      "--method top --signal loss --size 1 --exclude none",
      "--exclude none cannot be read",
    ],
    [
      "a service that is not there",
      "--method top --signal loss --size 1 --url http://127.0.0.1:1",
      "No service answers at",
    ],
  ])("says %s, and leaves no file", async (_, options, message) => {
    const { url, folder, assay } = await service();
    const args = ["select", "a/b", "--url", url, ...options.split(" "), "-o", "out.csv"];
    const { code, stderr } = await assay(args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("sends the key of --key or of ASSAY_API_KEYS", async () => {
    const { url, assay } = await service([KEY]);
    const args = ["select", "a/b", "--url", url, "--method", "poisson", "--size", "5"];
    expect(await assay(args)).toMatchObject({ code: 1, stderr: expect.stringMatching(/ASSAY_API_KEYS/) });
    expect(await assay([...args, "--key", KEY])).toMatchObject({ code: 0 });
    expect(await assay(args, { ASSAY_API_KEYS: `${KEY},another-of-16-chars` })).toMatchObject({ code: 0 });
  });
});

it("cancels its job when it is interrupted", async () => {
  const store = await temporaryStore();
  await store.writeSamples("d", [{ id: "a", record: sample() }]);
  const jobs = openJobs({
    executor: {
      run: (_kind, _input, { signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      close: async () => undefined,
    },
  });
  const app = await testApp({ store, jobs });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const child = spawn(process.execPath, [CLI, "weigh", "d", "--url", url], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = text(child.stderr);
  await until(async () => expect(jobs.list()).toMatchObject([{ state: "running" }]));
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
  expect(await said).toContain("ended by SIGINT");
  await until(async () => expect(jobs.list()).toMatchObject([{ state: "cancelled" }]));
});

describe("assay weigh", () => {
  it("makes a snapshot and answers it with its diagnostics", async () => {
    const { app, url, assay } = await service();
    const args = `weigh a/b --url ${url} --weigh-by loss --scheme rank --balance --normalise mean`.split(" ");
    const { code, stdout } = await assay(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      snapshot: {
        version: 1,
        samples: 3000,
        provenance: { weighting: { signal: "loss", scheme: "rank", balance: true, normalise: "mean" } },
      },
      diagnostics: { effective_sample_size: expect.any(Number) },
    });
    const { snapshot } = (await app.inject("/v1/datasets/a%2Fb")).json();
    expect(snapshot.version).toBe(1);
  });

  it("says what the service or the options have against it", async () => {
    const { url, assay } = await service();
    expect(await assay(["weigh", "none", "--url", url])).toMatchObject({
      code: 1,
      stderr: 'assay: No dataset is named "none"\n',
    });
    expect(await assay(["weigh", "a/b", "--url", url, "--weigh-by", "aum"])).toMatchObject({ code: 1 });
    expect(await assay(["weigh", "a/b", "--url", url, "--weigh-by", "entropy"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^assay: --weigh-by 3000 of 3000 samples were scored without entropy/),
    });
  });
});

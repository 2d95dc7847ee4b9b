import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { post } from "../support/post.js";
import { startService } from "../support/service.js";

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

const samples = Array.from({ length: 20 }, (_, index) => ({
  id: `s${index}`,
  query: "usb c cable",
  document: index % 2 ? `USB-C charging cable, ${index} m` : `Garden chair no. ${index}`,
  label: index % 2,
}));

describe("the service", () => {
  it("prints where it listens, its docs, and a curl line that scores a sample as pasted", async () => {
    const service = await startService();
    expect(service.output()).toContain(`docs at ${service.url}/docs`);
    const line = /^curl .*$/m.exec(service.output())?.[0] as string;
    const { stdout } = await run("sh", ["-c", line]);
    expect(JSON.parse(stdout).results[0]).toMatchObject({
      id: "q1:p9",
      cached: false,
      truncated: false,
      weight: 1,
    });
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });

  it("answers the committed OpenAPI document", async () => {
    const { url } = await startService({ until: "listening" });
    const committed = JSON.parse(
      readFileSync(new URL("../../openapi/openapi.json", import.meta.url), "utf8"),
    );
    expect(await (await fetch(`${url}/openapi.json`)).json()).toEqual(committed);
  });

  it("remembers samples, weights and outputs over a restart", async () => {
    const dataDir = temporaryFolder();
    const first = await startService({ dataDir });
    expect((await post(first, "/v1/score", { dataset: "d", samples })).status).toBe(200);
    const weighting = { signal: "loss", scheme: "rank" };
    expect((await post(first, "/v1/datasets/d/weights", { weighting })).status).toBe(200);
    const ids = samples.map(({ id }) => id);
    const before = (await post(first, "/v1/datasets/d/lookup", { ids })).body;
    expect(await first.stop()).toBe(0);

    const second = await startService({ dataDir });
    expect((await post(second, "/v1/datasets/d/lookup", { ids })).body).toEqual(before);
    const again = (await post(second, "/v1/score", { samples })).body;
    expect(again.diagnostics.cache_hits).toBe(20);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "finishes what it took before %s ends it, and exits 0",
    async (signal) => {
      const service = await startService();
      const many = Array.from({ length: 80 }, (_, index) => ({
        query: `query ${index}`,
        document: "a long product text ".repeat(20),
        label: 1,
      }));
      const answer = post(service, "/v1/score", { samples: many });
      // The request is inside once the queue says so.
      while (
        !/assay_queue_tokens\{model="default"\} [1-9]/.test(
          await (await fetch(`${service.url}/metrics`)).text(),
        )
      );
      const exit = service.stop(signal);
      expect(await Promise.all([answer.then(({ status }) => status), exit])).toEqual([200, 0]);
    },
  );

  it("answers health while the model loads, and says that it is not ready", async () => {
    const service = await startService({ until: "listening" });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${service.url}/readyz`);
    if (ready.status === 503) expect(await ready.text()).toContain("loading");
  });

  it("takes its engine process along when it is killed", async () => {
    const service = await startService();
    const { stdout } = await run("ps", ["-o", "pid=", "--ppid", String(service.process.pid)]);
    const engine = Number(stdout.trim());
    service.process.kill("SIGKILL");
    const gone = async (): Promise<boolean> =>
      run("ps", ["-p", String(engine)]).then(
        () => false,
        () => true,
      );
    while (!(await gone())) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("says that a port is taken, and leaves no process behind", async () => {
    const { url } = await startService();
    const env = { PATH: process.env.PATH, ASSAY_PORT: new URL(url).port, ASSAY_DATA_DIR: temporaryFolder() };
    const failed = await run(process.execPath, [CLI, "serve"], { env }).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/Cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE/);
  });

  it.each([
    ["a bind beyond loopback without keys", { ASSAY_HOST: "0.0.0.0" }, /ASSAY_API_KEYS/],
    ["an unknown setting", { ASSAY_COLOUR: "blue" }, /ASSAY_COLOUR is not a setting/],
    [
      "a device that is not there",
      { ASSAY_DEVICE: "cuda:63" },
      /ASSAY_DEVICE .*No session can be opened on cuda:63: .*CUDA/,
    ],
    ["a models folder without the model", { ASSAY_DEFAULT_MODEL: "nobody" }, /No model folder nobody/],
  ])("refuses to start with %s", async (_about, env, message) => {
    const failed = await run(process.execPath, [CLI, "serve"], {
      env: { PATH: process.env.PATH, ...env },
    }).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(message);
  });
});

import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { exportFolder } from "../support/exports.js";
import { startService } from "../support/service.js";
import { hasStrace, readTraces, straced } from "../support/strace.js";

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const PAIRS = fileURLToPath(new URL("../fixtures/pairs.jsonl", import.meta.url));

/** A user's folders of their own, so that whatever a library leaves there is seen. */
function home() {
  const root = temporaryFolder();
  const folders = { HOME: join(root, "home"), TMPDIR: join(root, "tmp") };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  return {
    env: folders,
    log: join(root, "strace.log"),
    left: () => Object.values(folders).flatMap((folder) => readdirSync(folder)),
  };
}

// ONNX Runtime collects telemetry unless it is told not to before it loads: mat-debug-PID.log, .ses and ~/.cache/Microsoft.
describe.skipIf(!hasStrace())("nothing phones home", () => {
  it("while the service scores, sums gradients and takes new weights", async () => {
    const { env, log, left } = home();
    const service = await startService({ env, through: straced(log) });
    const samples = [{ id: "a", query: "usb c cable", document: "USB-C cable, 2 m", label: 1 }];
    const post = async (method: string, path: string, body: object) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${service.url}${path}`, { method, headers, body: JSON.stringify(body) });
      expect({ path, status: response.status }).toEqual({ path, status: 200 });
    };
    await post("POST", "/v1/score", { dataset: "d", samples, signals: ["loss", "grad_norm"] });
    await post("PUT", "/v1/directions/v", { kind: "loss_gradient", samples });
    await post("POST", "/v1/score", { samples, signals: ["influence"], direction: "v" });
    await post("POST", "/v1/models/default/reload", {});
    expect(await service.stop()).toBe(0);

    const { foreign, made, calls } = readTraces(log);
    expect(calls).toBeGreaterThan(100); // the tracer did trace
    expect(foreign).toEqual([]);
    // The engine's weights, multiplied out, are the only files of ours there, and go with it.
    const ours = join(env.TMPDIR, "assay-engine-");
    const others = made.filter((path) => !path.startsWith(ours));
    expect(others.filter((path) => path.startsWith(env.HOME) || path.startsWith(env.TMPDIR))).toEqual([]);
    expect(left()).toEqual([]);
  });

  it.each([
    ["assay score", ["score", PAIRS]],
    ["assay inspect", ["inspect", exportFolder("bert")]],
  ])("by %s", async (_name, args) => {
    const { env, log, left } = home();
    const [command = "", ...prefix] = straced(log);
    const settings = { ...env, PATH: process.env.PATH, ASSAY_DATA_DIR: temporaryFolder() };
    const models = args[0] === "inspect" ? { ASSAY_MODELS_DIR: join(temporaryFolder(), "models") } : {};
    await run(command, [...prefix, process.execPath, CLI, ...args], { env: { ...settings, ...models } });
    expect(readTraces(log).foreign).toEqual([]);
    expect(left()).toEqual([]);
  });
});

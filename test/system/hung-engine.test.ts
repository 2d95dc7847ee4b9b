import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { enginePids, newSamples, score, until } from "../support/load.js";
import { startService } from "../support/service.js";

/** False for a process that is gone or waits only to be reaped. */
function runs(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

it("kills an engine that no longer answers, and does its work in another", async () => {
  const service = await startService();
  const [engine] = enginePids(service) as [number];
  process.kill(engine, "SIGSTOP");
  const answer = await score(service, newSamples(5));
  expect(answer.status).toBe(200);
  expect(service.output()).toContain("did not answer for 20 s");
  expect(enginePids(service)).not.toContain(engine);
});

it("replaces an engine that is stopped: the reload answers, and the old one is gone", async () => {
  const service = await startService();
  const [engine] = enginePids(service) as [number];
  process.kill(engine, "SIGSTOP");
  const response = await fetch(`${service.url}/v1/models/default/reload`, { method: "POST" });
  expect(response.status).toBe(200);
  expect(runs(engine)).toBe(false);
});

it("leaves no engine behind when the time to close is over", async () => {
  const service = await startService({ env: { ASSAY_CLOSE_TIMEOUT_MS: "1000" } });
  const [engine] = enginePids(service) as [number];
  process.kill(engine, "SIGSTOP");
  expect(await service.stop("SIGTERM")).toBe(1);
  expect(service.output()).toContain("Assay closes on SIGTERM");
  await until(() => !runs(engine), "the engine is gone", 2000);
});

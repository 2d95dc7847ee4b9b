import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startService } from "../support/service.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

describe("a process whose output nobody reads any more", () => {
  it("serves on without its log, and closes on SIGTERM", async () => {
    const service = await startService({ until: "listening" });
    service.process.stdout?.destroy();
    service.process.stderr?.destroy();
    const body = JSON.stringify({ samples: [{ text: "usb c cable", label: 1 }] });
    const headers = { "content-type": "application/json", "assay-timeout-ms": "60000" };
    for (let request = 0; request < 3; request++) {
      const answer = await fetch(`${service.url}/v1/score`, { method: "POST", headers, body });
      expect(answer.status).toBe(200);
      expect((await fetch(`${service.url}/nowhere`)).status).toBe(404);
    }
    expect(await service.stop()).toBe(0);
  });

  it.each(["openapi", "config"])("ends `assay %s` without a stack trace", async (command) => {
    const child = spawn(process.execPath, [CLI, command], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [code] = (await once(child, "close")) as [number];
    expect({ code, stderr }).toEqual({ code: 141, stderr: "" });
  });
});

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { startService } from "../support/service.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE = join(ROOT, "examples", "train.py");
const PYTHON = pythonOf(process.env.TEST_PYTHON);
const KEY = "a-key-of-the-tests";
const HAS_TORCH = spawnSync(PYTHON, ["-c", "import torch"]).status === 0;

/** Sixteen queries of the fixture, six products each. */
const LINES = readFileSync(join(ROOT, "test", "fixtures", "pairs.jsonl"), "utf8")
  .split("\n")
  .slice(0, 96);

describe("examples/train.py", () => {
  it("is under 80 lines", () => {
    const lines = readFileSync(EXAMPLE, "utf8").split("\n").length - 1;
    expect(lines).toBeLessThan(80);
  });

  it("finds torch in CI", ({ skip }) => {
    skip(process.env.CI !== "true", "torch is needed in CI alone");
    expect(HAS_TORCH, `${PYTHON} cannot import torch`).toBe(true);
  });

  it.skipIf(!HAS_TORCH)(
    "trains on weighed batches, and every id has a weight afterwards, of sum 1",
    async () => {
      const { url } = await startService({ env: { ASSAY_API_KEYS: KEY } });
      const ran = await runExample(LINES, url, KEY);

      expect(ran.stderr).toBe("");
      expect(ran.code).toBe(0);
      expect(ran.stdout).toMatch(/^epoch 1: loss \d\.\d+, 0 samples from the cache$/m);
      expect(ran.stdout).toMatch(/^epoch 2: loss \d\.\d+, 96 samples from the cache$/m);
      expect(ran.stdout).toMatch(/^96 ids have weights, which sum to 1\.000000\./m);

      const ids = LINES.map((line) => (JSON.parse(line) as { id: string }).id);
      const answer = await fetch(`${url}/v1/datasets/of-the-test/lookup`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
        body: JSON.stringify({ ids }),
      });
      const { results } = (await answer.json()) as { results: { id: string; weight: number }[] };
      expect(results.map(({ id }) => id)).toEqual(ids);
      for (const { weight } of results) expect(weight).toBeGreaterThan(0);
      expect(results.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 5);
    },
  );

  it.skipIf(!HAS_TORCH)("ends with the problem's detail where the service refuses", async () => {
    const { url } = await startService({ until: "listening" });
    const rating = JSON.stringify({ id: "a", query: "usb c cable", document: "USB-C cable", label: 3 });
    const ran = await runExample([rating], url);

    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^unsuitable_label \(422\): row 0, label: bce takes a label from 0 to 1/);
    expect(ran.stderr).not.toContain("Traceback");
  });

  it.skipIf(!HAS_TORCH)("says which address does not answer", async () => {
    const ran = await runExample(LINES.slice(0, 1), "http://127.0.0.1:9");

    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/^unreachable: http:\/\/127\.0\.0\.1:9 does not answer .*start the service/);
  });
});

/** The interpreter that a developer names, or the project's own, or the system's. */
function pythonOf(named: string | undefined): string {
  if (named !== undefined) return named;
  const own = join(ROOT, ".venv", "bin", "python");
  return existsSync(own) ? own : "python3";
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runExample(lines: readonly string[], url: string, key = ""): Promise<Ran> {
  const data = join(temporaryFolder(), "pairs.jsonl");
  writeFileSync(data, lines.join("\n"));
  const child = spawn(PYTHON, [EXAMPLE, data, "--url", url, "--dataset", "of-the-test", "--epochs", "2"], {
    env: { ...process.env, ASSAY_API_KEY: key, PYTHONPATH: join(ROOT, "python", "src") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

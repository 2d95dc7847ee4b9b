import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";

const BENCH = fileURLToPath(new URL("../../bench/bench.mjs", import.meta.url));

interface Figure {
  readonly part: string;
  readonly precision: string | null;
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly ratio?: { readonly to: string; readonly values: readonly number[]; readonly median: number };
}

interface Results {
  readonly commit: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly kernel: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly data: { readonly name: string; readonly pairs: number };
  readonly figures: readonly Figure[];
}

describe("the bench", () => {
  it("prints one table and writes every repetition with machine, versions and commit", async () => {
    const folder = temporaryFolder();
    const { out, results } = await quick("cold,cached,latency,size,hits,gradients", folder);
    const { commit, machine, versions, data, figures } = results;
    expect(commit).toMatch(/^[0-9a-f]{7,}$/);
    expect(machine).toMatchObject({ cpu: expect.any(String), cores: expect.any(Number) });
    expect(versions).toMatchObject({ node: process.version, "onnxruntime-node": expect.any(String) });
    expect(data).toMatchObject({ name: "pairs.jsonl", pairs: 12 });

    const parts = ["cold", "cached", "latency", "sweep: batch size", "sweep: cache hits", "gradients"];
    expect([...new Set(figures.map(({ part }) => part))]).toEqual(parts);
    for (const { name, values, median, min, max } of figures) {
      expect(values.length, name).toBeGreaterThan(0);
      expect(
        values.every((value) => Number.isFinite(value) && value > 0),
        name,
      ).toBe(true);
      expect(min <= median && median <= max, name).toBe(true);
    }
    // Every figure is a line of the table, beside its head and its rule.
    expect(out.split("\n").filter((line) => line.startsWith("|"))).toHaveLength(figures.length + 2);

    // A ratio is taken round by round, and the ceiling does the same work.
    const ceiling = figures.find(({ name }) => name.endsWith("(ceiling)")) as Figure;
    const ours = figures.find(({ name }) => name.includes("4 at once")) as Figure;
    expect(ours.ratio?.to).toBe("ceiling");
    ours.values.forEach((value, round) => {
      expect(ours.ratio?.values[round]).toBeCloseTo(value / (ceiling.values[round] as number), 3);
    });
    const agreement = figures.find(({ unit }) => unit === "Spearman") as Figure;
    expect(agreement.median).toBeGreaterThan(0.99);

    // Run in parts, it ends in one file: what is measured again replaces the earlier figures, the others stay.
    const again = await quick("hits", folder);
    const of = (part: string, from: Results): Figure[] => from.figures.filter((each) => each.part === part);
    expect(again.results.figures).toHaveLength(figures.length);
    expect(of("latency", again.results)).toEqual(of("latency", results));
    expect(of("sweep: cache hits", again.results)).not.toEqual(of("sweep: cache hits", results));
  });

  it("names the line of a data file that holds no pair", async () => {
    const path = join(temporaryFolder(), "bad.jsonl");
    await writeFile(path, '{"query": "a", "document": "b"}\n{"query": "a"}\n');
    await expect(bench([path, "--quick"])).rejects.toThrow(`${path}:2: needs query and document`);
  });
});

/** A smoke run of some parts on a dozen pairs at fp32: standard output and the results it wrote. */
async function quick(parts: string, folder: string): Promise<{ out: string; results: Results }> {
  const fixture = await readFile(new URL("../fixtures/pairs.jsonl", import.meta.url), "utf8");
  const data = join(folder, "pairs.jsonl");
  await writeFile(data, fixture.split("\n").slice(0, 12).join("\n"));
  const path = join(folder, "results.json");
  const out = await bench([data, "--quick", "--only", parts, "--precision", "fp32", "--out", path]);
  return { out, results: JSON.parse(await readFile(path, "utf8")) as Results };
}

async function bench(args: readonly string[]): Promise<string> {
  const running = promisify(execFile)(process.execPath, [BENCH, ...args]);
  onTestFinished(() => void running.child.kill());
  return (await running).stdout;
}

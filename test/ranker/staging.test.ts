import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/ranker/manifest.js";
import type { ModelFolder } from "../../src/ranker/model-folder.js";
import { commitStaging, createStaging, settleFolder } from "../../src/ranker/staging.js";
import { temporaryFolder } from "../support/app.js";
import { describeBytes, readManifest, SHIPPED } from "../support/model.js";

const OLD = Buffer.from("old weights");
const NEW = Buffer.from("new weights");

/** A folder that no engine would load: its weights are a few bytes. */
function folderWith(weights: Buffer): ModelFolder {
  const directory = join(temporaryFolder(), "default");
  mkdirSync(directory);
  const manifest = manifestFor(weights);
  writeFileSync(join(directory, "config.json"), "{}");
  write(directory, weights);
  return { directory, manifest };
}

function manifestFor(weights: Buffer): Manifest {
  const { files, ...manifest } = readManifest(SHIPPED);
  return {
    ...manifest,
    parameters: [],
    files: {
      ...files,
      "weights.bin": describeBytes(weights),
      "config.json": describeBytes(Buffer.from("{}")),
    },
  };
}

function write(directory: string, weights: Buffer, suffix = ""): void {
  writeFileSync(join(directory, `weights.bin${suffix}`), weights);
  writeFileSync(join(directory, `model.json${suffix}`), JSON.stringify(manifestFor(weights)));
}

/** What a start finds in the folder: the weights that both files tell of, or the pair that does not fit. */
function served(directory: string): string {
  const weights = readFileSync(join(directory, "weights.bin"));
  const { sha256 } = readManifest(directory).files["weights.bin"] as { sha256: string };
  return sha256 === describeBytes(weights).sha256 ? weights.toString() : "mismatch";
}

/** A folder with a staging folder that holds the new weights. */
async function staged(): Promise<{ directory: string; staging: string }> {
  const directory = join(temporaryFolder(), "default");
  cpSync(folderWith(OLD).directory, directory, { recursive: true });
  const staging = join(directory, ".staging-99999999-abc");
  mkdirSync(staging);
  write(staging, NEW);
  return { directory, staging };
}

describe("a staging folder", () => {
  it("holds links to the folder's files, all but weights and manifest", async () => {
    const folder = folderWith(OLD);
    const files = { "config.json": describeBytes(Buffer.from("{}")), "weights.bin": describeBytes(OLD) };
    const staging = await createStaging({ ...folder, manifest: { ...folder.manifest, files } });
    expect(readdirSync(staging)).toEqual(["config.json"]);
    expect(statSync(join(staging, "config.json")).ino).toBe(
      statSync(join(folder.directory, "config.json")).ino,
    );
  });

  it("stays as it is when its weights come into the folder", async () => {
    const { directory, staging } = await staged();
    await commitStaging(directory, staging);
    expect(served(directory)).toBe("new weights");
    expect(served(staging)).toBe("new weights");
    await settleFolder(directory);
    expect(served(directory)).toBe("new weights");
  });
});

describe("a start after a crash within a commit", () => {
  // Each step of commitStaging, in its order; the crash comes after it.
  const steps: readonly [string, (directory: string) => void, string][] = [
    ["nothing", () => undefined, "old weights"],
    [
      "the new weights beside",
      (d) => linkSync(join(d, ".staging-99999999-abc", "weights.bin"), join(d, "weights.bin.next")),
      "old weights",
    ],
    [
      "the new manifest's draft",
      (d) => linkSync(join(d, ".staging-99999999-abc", "model.json"), join(d, "model.json.next.draft")),
      "old weights",
    ],
    [
      "the decision",
      (d) => renameSync(join(d, "model.json.next.draft"), join(d, "model.json.next")),
      "new weights",
    ],
    [
      "the weights' rename",
      (d) => renameSync(join(d, "weights.bin.next"), join(d, "weights.bin")),
      "new weights",
    ],
    [
      "the manifest's rename",
      (d) => renameSync(join(d, "model.json.next"), join(d, "model.json")),
      "new weights",
    ],
  ];

  it.each(steps.map(([about, , expected], index) => [about, expected, index] as const))(
    "after %s serves the %s",
    async (_about, expected, last) => {
      const { directory } = await staged();
      for (const [, step] of steps.slice(0, last + 1)) step(directory);
      await settleFolder(directory);
      expect(served(directory)).toBe(expected);
      expect(readdirSync(directory).sort()).toEqual(["config.json", "model.json", "weights.bin"]);
    },
  );

  it("keeps what was exported into the folder since", async () => {
    const { directory } = await staged();
    for (const [, step] of steps.slice(0, 5)) step(directory);
    rmSync(join(directory, "weights.bin"));
    write(directory, Buffer.from("exported since"));
    await settleFolder(directory);
    expect(served(directory)).toBe("exported since");
  });
});

it("a start leaves the staging folder of a process that runs, and removes one whose process is gone", async () => {
  const { directory } = folderWith(OLD);
  const other = spawn("sleep", ["60"]);
  const gone = spawn("true");
  await once(gone, "exit");
  const names = [other.pid, gone.pid, process.pid].map((pid) => `.staging-${pid}-abc`);
  for (const name of names) mkdirSync(join(directory, name));
  await settleFolder(directory);
  expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([names[0]]);
  other.kill();
});

it("a start leaves what another machine has just staged, and removes what it abandoned an hour ago", async () => {
  const { directory } = folderWith(OLD);
  const gone = spawn("true");
  await once(gone, "exit");
  const names = ["fresh", "writing", "abandoned"].map((about) => `.staging-${gone.pid}-${about}-0a1b2c3d`);
  const hoursAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
  for (const name of names) mkdirSync(join(directory, name));
  writeFileSync(join(directory, names[1] as string, "weights.bin"), NEW);
  for (const name of names.slice(1)) utimesSync(join(directory, name), hoursAgo, hoursAgo);
  await settleFolder(directory);
  expect(
    readdirSync(directory)
      .filter((name) => name.startsWith("."))
      .sort(),
  ).toEqual(names.slice(0, 2).sort());
});

it("a commit succeeds beside starts of other services, which finish or undo what they find half done", async () => {
  const { directory, staging } = await staged();
  const own = join(temporaryFolder(), "staged"); // where no start looks for what it may remove
  renameSync(staging, own);
  for (let round = 0; round < 20; round++) {
    await Promise.all([commitStaging(directory, own), settleFolder(directory), settleFolder(directory)]);
    expect(served(directory)).toBe("new weights");
    for (const name of ["weights.bin", "model.json"]) rmSync(join(directory, name)); // links to what is staged
    write(directory, OLD);
  }
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkDigests } from "../../src/ranker/digests.js";
import { importFolder } from "../../src/ranker/import/import-folder.js";
import type { Manifest } from "../../src/ranker/manifest.js";
import { describeModel, readModelFolder } from "../../src/ranker/model-folder.js";
import type { Caller, Ranker } from "../../src/ranker/port.js";
import { openRanker } from "../../src/ranker/ranker.js";
import { temporaryFolder } from "../support/app.js";
import { exportFolder } from "../support/exports.js";
import { describeBytes, editManifest } from "../support/model.js";
import { FP32 } from "../support/outputs.js";
import { rankerOptions } from "../support/ranker.js";

const patient: Caller = { signal: new AbortController().signal, deadlineAtMs: null };
const EMBEDDING = { size: 32, after: "embeddings" };

/** A folder whose only graph has no output `embedding`. */
async function importedFolder(): Promise<string> {
  const output = join(temporaryFolder(), "mine");
  await importFolder(exportFolder("bert"), { name: "mine", output, replace: false });
  return output;
}

async function open(directory: string): Promise<Ranker> {
  const ranker = openRanker(await readModelFolder(directory), rankerOptions());
  onTestFinished(() => ranker.close());
  return ranker;
}

describe("the output embedding", () => {
  it("is refused where the folder's graphs lack it, with the command that adds it", async () => {
    const ranker = await open(await importedFolder());
    expect(ranker.model.embedding).toBeNull();
    const run = ranker.run([{ first: "usb", second: null }], { ...FP32, asked: ["embedding"] }, patient);
    await expect(run).rejects.toMatchObject({
      code: "unsuitable_graph",
      message: expect.stringContaining("python -m assay.export graphs"),
    });
  });

  it("must be in the graphs of a folder whose manifest names it", async () => {
    const directory = await importedFolder();
    editManifest(directory, (manifest) => ({ ...manifest, embedding: EMBEDDING }));
    const ranker = await open(directory);
    expect(ranker.model.embedding).toEqual(EMBEDDING);
    expect(await ranker.settled()).toEqual({
      status: "failed",
      reason: expect.stringContaining('forward.onnx has no output "embedding"'),
    });
  });
});

describe("the attribution graph", () => {
  it("is described, and must match its digest", async () => {
    const directory = await importedFolder();
    const graph = Buffer.from("a graph");
    const file = join(directory, "attribution.onnx");
    writeFileSync(file, graph);
    editManifest(directory, (manifest: Manifest) => ({
      ...manifest,
      graphs: { ...manifest.graphs, attribution: "attribution.onnx" },
      files: { ...manifest.files, "attribution.onnx": describeBytes(graph) },
    }));
    const folder = await readModelFolder(directory);
    expect(describeModel(folder, "fp32").gradientGraphs).toEqual(["attribution"]);
    await checkDigests(folder);
    writeFileSync(file, "another graph");
    await expect(checkDigests(folder)).rejects.toThrow("mine/attribution.onnx does not match its digest");
  });
});

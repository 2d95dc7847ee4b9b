import { describe, expect, it } from "vitest";
import { packsWeights } from "../../../src/ranker/engine/session/packs-weights.js";
import type { Manifest } from "../../../src/ranker/manifest.js";
import { readManifest, SHIPPED } from "../../support/model.js";

const SCALE = { offset: 64, length: 16, axis: 0 } as const;

/** The weights of a folder: one matrix, float32 unless it has a scale. */
function folder(
  shape: [number, number],
  { scale = null as Manifest["parameters"][number]["scale"], bytes = 4 * shape[0] * shape[1] } = {},
): Pick<Manifest, "parameters" | "architecture" | "files"> {
  return {
    parameters: [
      {
        name: "layer.weight",
        shape,
        dtype: "float32",
        offset: 0,
        length: bytes,
        layout: "transposed",
        scale,
      },
    ],
    architecture: readManifest(SHIPPED).architecture,
    files: { "weights.bin": { sha256: "0".repeat(64), bytes } },
  };
}

/** 4,096 × 4,096 float32 entries take 64 MiB. */
const LARGE = folder([4096, 4096]);

describe("weights", () => {
  it("are mapped and shared by the sessions of a process where they are large", () => {
    expect(packsWeights("forward", LARGE)).toBe(false);
    expect(packsWeights("forward", folder([4096, 4096], { scale: SCALE, bytes: 2 ** 24 }))).toBe(false);
  });

  it.each([
    ["are small", folder([1024, 1024])],
    ["have scales and are small", readManifest(SHIPPED)],
    ["lie inside the graph, as of an imported folder", { ...LARGE, parameters: [] }],
    ["have no file of their own", { ...LARGE, files: {} }],
  ])("are packed by each forward session where they %s", (_why, manifest) => {
    expect(packsWeights("forward", manifest)).toBe(true);
  });

  it("are never packed for gradients, which packing does not make faster", () => {
    expect(packsWeights("norms", folder([4, 4]))).toBe(false);
  });

  it("count by what a graph maps of them: int8 products map no float32, and a table of int8 rows neither", () => {
    const scaled = folder([4096, 4096], { scale: SCALE, bytes: 2 ** 24 });
    expect(packsWeights("forward.int8", scaled)).toBe(true);
    const [matrix] = scaled.parameters as [Manifest["parameters"][number]];
    const table = { ...matrix, name: "bert.embeddings.word_embeddings.weight" };
    const architecture = { ...scaled.architecture, vocab_size: 4096 };
    expect(packsWeights("forward", { ...scaled, parameters: [table], architecture })).toBe(true);
  });
});

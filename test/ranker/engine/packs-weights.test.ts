import { describe, expect, it } from "vitest";
import { folderSource, packsWeights } from "../../../src/ranker/engine/session/packs-weights.js";
import type { Manifest } from "../../../src/ranker/manifest.js";

const LARGE = { "weights.bin": { sha256: "0".repeat(64), bytes: 64 * 2 ** 20 } };
const GRAPHS = { forward: "forward.onnx", norms: "norms.onnx" };

function parameter(scale: Manifest["parameters"][number]["scale"]): Manifest["parameters"][number] {
  return {
    name: "layer.weight",
    shape: [4, 4],
    dtype: "float32",
    offset: 0,
    length: 64,
    layout: "transposed",
    scale,
  };
}

describe("weights", () => {
  it("are mapped and shared by the sessions of a process where they are large and float32", () => {
    const source = folderSource("folder", { parameters: [parameter(null)], graphs: GRAPHS, files: LARGE });
    expect(source.directory).toBe("folder");
    expect(packsWeights("forward", source)).toBe(false);
  });

  it.each([
    ["are small", [parameter(null)], { "weights.bin": { ...LARGE["weights.bin"], bytes: 2 ** 20 } }],
    ["have scales", [parameter(null), parameter({ offset: 64, length: 16, axis: 0 })], LARGE],
    ["lie inside the graph, as of an imported folder", [], LARGE],
    ["have no file of their own", [parameter(null)], {}],
  ])("are packed by each forward session where they %s", (_why, parameters, files) => {
    const source = folderSource("folder", { parameters, graphs: GRAPHS, files });
    expect(packsWeights("forward", source)).toBe(true);
  });

  it("are never packed for gradients, which packing does not make faster", () => {
    expect(packsWeights("norms", { mappedBytes: {} })).toBe(false);
  });

  it("count by what a graph maps of them: int8 products map no float32", () => {
    const mappedBytes = { forward: 64 * 2 ** 20, "forward.int8": 2 ** 20 };
    expect(packsWeights("forward", { mappedBytes })).toBe(false);
    expect(packsWeights("forward.int8", { mappedBytes })).toBe(true);
  });
});

import { describe, expect, it } from "vitest";
import { mapsWeights } from "../../../src/ranker/engine/session/maps-weights.js";
import type { Manifest } from "../../../src/ranker/manifest.js";

const LARGE = { "weights.bin": { sha256: "0".repeat(64), bytes: 64 * 2 ** 20 } };

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
  it("are shared by the sessions of a process where they are large and float32", () => {
    expect(mapsWeights({ parameters: [parameter(null)], files: LARGE })).toBe(true);
  });

  it.each([
    ["are small", [parameter(null)], { "weights.bin": { ...LARGE["weights.bin"], bytes: 2 ** 20 } }],
    ["have scales", [parameter(null), parameter({ offset: 64, length: 16, axis: 0 })], LARGE],
    ["lie inside the graph, as of an imported folder", [], LARGE],
    ["have no file of their own", [parameter(null)], {}],
  ])("are packed by each session where they %s", (_why, parameters, files) => {
    expect(mapsWeights({ parameters, files })).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/ranker/manifest.js";
import { estimateMemory } from "../../src/ranker/memory-estimate.js";
import { readManifest, SHIPPED } from "../support/model.js";

const TWO_CORES = { precision: "fp32", sessions: 2, threads: 1 } as const;

/** A manifest of the shipped model's graphs for another size, with float32 weights. */
function sized(layers: number, hidden: number, vocabulary: number): Manifest {
  const shipped = readManifest(SHIPPED);
  const parameter = (name: string, shape: number[]): Manifest["parameters"][number] => {
    const length = 4 * shape.reduce((product, size) => product * size, 1);
    return { name, shape, dtype: "float32", offset: 0, length, layout: "as_is", scale: null };
  };
  return {
    ...shipped,
    architecture: { family: "bert", hidden_size: hidden, layers, vocab_size: vocabulary },
    parameters: [
      parameter("bert.embeddings.word_embeddings.weight", [vocabulary, hidden]),
      ...Array.from({ length: layers }, (_, layer) => parameter(`layer.${layer}`, [12 * hidden, hidden])),
    ],
  };
}

/** GB with each set of graphs open, on two cores. */
function gigabytes(manifest: Manifest): { forward: number; norms: number; all: number } {
  const { loaded, added } = estimateMemory(manifest, TWO_CORES);
  const { norms = 0, tangent = 0, accumulate = 0 } = added;
  const all = loaded + norms + tangent + accumulate;
  return { forward: loaded / 1e9, norms: (loaded + norms) / 1e9, all: all / 1e9 };
}

describe("the estimate of an engine's memory", () => {
  // Measured: docs/sizing.md.
  it.each([
    ["the shipped model", readManifest(SHIPPED), { forward: 0.34, norms: 0.48, all: 1.19 }],
    ["BERT-base", sized(12, 768, 30_522), { forward: 0.57, norms: 1.08, all: 4.05 }],
  ])("is not below what %s takes, and at most half more", (_name, manifest, measured) => {
    const estimate = gigabytes(manifest);
    for (const name of ["forward", "norms", "all"] as const) {
      expect(estimate[name], name).toBeGreaterThanOrEqual(measured[name]);
      expect(estimate[name], name).toBeLessThanOrEqual(1.5 * measured[name]);
    }
  });

  it("lists the graphs that the folder has, without the one that is loaded first", () => {
    const { graphs, ...manifest } = readManifest(SHIPPED);
    const forwardOnly = { ...manifest, graphs: { forward: graphs.forward } };
    expect(estimateMemory(forwardOnly, TWO_CORES).added).toEqual({});
    const withInt8 = {
      ...forwardOnly,
      graphs: { forward: graphs.forward, "forward.int8": "forward.int8.onnx" },
    };
    expect(Object.keys(estimateMemory(withInt8, TWO_CORES).added)).toEqual(["forward.int8"]);
    const first = { ...TWO_CORES, precision: "int8" } as const;
    expect(Object.keys(estimateMemory(withInt8, first).added)).toEqual(["forward"]);
  });

  it("grows with the sessions, of which the graphs with operands have one", () => {
    const shipped = readManifest(SHIPPED);
    const [two, four] = [2, 4].map((sessions) => estimateMemory(shipped, { ...TWO_CORES, sessions }));
    expect(four?.loaded).toBeGreaterThan(two?.loaded ?? 0);
    expect(four?.added.norms).toBe(2 * (two?.added.norms ?? 0));
    expect(four?.added.accumulate).toBeLessThan(2 * (two?.added.accumulate ?? 0));
  });

  it("takes the files for the weights where the manifest lists no parameters", () => {
    const shipped = readManifest(SHIPPED);
    const imported = { ...shipped, parameters: [], graphs: { forward: shipped.graphs.forward } };
    const larger = {
      ...imported,
      files: { ...imported.files, "weights.bin": { sha256: "0".repeat(64), bytes: 10 ** 9 } },
    };
    expect(estimateMemory(larger, TWO_CORES).loaded).toBeGreaterThan(10 ** 9);
    expect(estimateMemory(larger, TWO_CORES).loaded).toBeLessThan(1.6 * 10 ** 9);
  });
});

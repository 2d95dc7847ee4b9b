import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { manifestSchema } from "../../src/ranker/manifest.js";

const shipped = fileURLToPath(new URL("../../models/default", import.meta.url));
const manifest = JSON.parse(readFileSync(join(shipped, "model.json"), "utf8"));
const GRADIENT_GRAPHS = ["norms", "tangent", "accumulate"];

test("the shipped model names its gradient graphs among its files", () => {
  const { graphs, files } = manifestSchema.parse(manifest);
  for (const kind of GRADIENT_GRAPHS)
    expect(files).toHaveProperty([graphs[kind as keyof typeof graphs] ?? "none"]);
});

test("a folder may come without gradient graphs", () => {
  const { forward } = manifest.graphs;
  expect(manifestSchema.safeParse({ ...manifest, graphs: { forward } }).success).toBe(true);
});

test("a gradient graph that is no file of the folder is refused", () => {
  const graphs = { ...manifest.graphs, norms: "absent.onnx" };
  expect(manifestSchema.safeParse({ ...manifest, graphs }).error?.issues[0]?.message).toBe(
    "a graph is not among the files",
  );
});

test("an unknown kind of graph is refused", () => {
  const graphs = { ...manifest.graphs, hessian: "norms.onnx" };
  expect(manifestSchema.safeParse({ ...manifest, graphs }).success).toBe(false);
});

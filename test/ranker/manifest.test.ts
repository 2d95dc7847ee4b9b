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
    "names a graph that is not among the files",
  );
});

test("a folder may say what its embedding is, in the way that is known", () => {
  const embedding = { size: 384, after: "embeddings" };
  expect(manifestSchema.parse({ ...manifest, embedding }).embedding).toEqual(embedding);
  for (const wrong of [{ size: 0, after: "embeddings" }, { size: 384 }, { ...embedding, of: "queries" }])
    expect(manifestSchema.safeParse({ ...manifest, embedding: wrong }).success).toBe(false);
});

test("an unknown kind of graph is refused", () => {
  const graphs = { ...manifest.graphs, hessian: "norms.onnx" };
  expect(manifestSchema.safeParse({ ...manifest, graphs }).success).toBe(false);
});

const LOGITS = { logits: [0] };
const { "weights.bin": weights, ...withoutWeights } = manifest.files;
const { "tokenizer.json": _tokenizer, ...withoutTokenizer } = manifest.files;

test.each<[string, string, object]>([
  ["a graph called as what every object has", "graphs", { graphs: { forward: "constructor" } }],
  ["a graph of another folder", "graphs", { graphs: { forward: "../default/forward.onnx" } }],
  ["a file that is a path", "files...", { files: { ...manifest.files, "..": weights } }],
  ["weights without a digest", "files", { files: withoutWeights }],
  ["a tokeniser without a digest", "files", { files: withoutTokenizer }],
  ["trees without a digest", "learned.file", { learned: learned({ file: "toString" }) }],
  ["a parameter past the end of the weights", "parameters", parameter({ offset: weights.bytes - 1 })],
  ["a parameter of another size than its shape's", "parameters", parameter({ shape: [2 ** 40, 2 ** 40] })],
  [
    "a scale before the beginning",
    "parameters.0.scale.offset",
    parameter({ scale: { offset: -1, length: 4, axis: 0 } }),
  ],
  ["no end of parameters", "parameters", { parameters: new Array(1_000_000).fill(1) }],
  ["no end of samples", "self_test.samples", selfTest(new Array(65).fill({ text: "a", ...LOGITS }))],
  ["no end of a text", "self_test.samples", selfTest([{ text: "a".repeat(2 ** 20 + 1), ...LOGITS }])],
  [
    "no end of logits",
    "self_test.samples.0",
    selfTest([{ text: "a", logits: new Array(1_000_000).fill("") }]),
  ],
  ["a gradient scope of an absent parameter", "gradient_scope.parameters", scope(["absent"])],
  [
    "a gradient scope in another order",
    "gradient_scope.parameters",
    scope(["classifier.bias", "classifier.weight"]),
  ],
  ["a gradient scope of nothing", "gradient_scope.parameters", scope([])],
  ["no end of tokens", "max_tokens", { max_tokens: 2 ** 40 }],
  ["no end of class names", "class_names", { class_names: new Array(1025).fill("a") }],
  ...["provenance", "metrics", "precision", "licence"].map((part): [string, string, object] => [
    `no end of ${part}`,
    part,
    { [part]: { note: "a".repeat(2 ** 16) } },
  ]),
  [
    "no end of architecture",
    "architecture",
    { architecture: { ...manifest.architecture, note: "a".repeat(2 ** 16) } },
  ],
  [
    "no end of held-out figures",
    "learned.held_out",
    { learned: learned({ held_out: { note: "a".repeat(2 ** 16) } }) },
  ],
])("a manifest with %s is refused at %s", (_about, path, fields) => {
  const { error } = manifestSchema.safeParse({ ...manifest, ...fields });
  expect(error?.issues[0]?.path.join(".")).toBe(path);
});

test("a file called __proto__ is none, and changes no object", () => {
  const text = JSON.stringify({ ...manifest, graphs: { forward: "__proto__" } });
  const files = text.replace('"files":{', `"files":{"__proto__":${JSON.stringify(weights)},`);
  const { error } = manifestSchema.safeParse(JSON.parse(files));
  expect(error?.issues[0]?.path).toEqual(["graphs"]);
  expect(Object.hasOwn(Object.prototype, "sha256")).toBe(false);
});

function parameter(fields: object): object {
  const [first, ...others] = manifest.parameters;
  return { parameters: [{ ...first, ...fields }, ...others] };
}

function selfTest(samples: readonly object[]): object {
  return { self_test: { tolerance: 1e-3, samples } };
}

function scope(parameters: readonly string[]): object {
  return { gradient_scope: { name: "classifier.*", parameters } };
}

function learned(fields: object): object {
  return {
    file: "forward.onnx",
    target: "loss",
    loss: "bce",
    inputs: { features: 0, signals: ["loss"], extras: [] },
    model_version: "0",
    held_out: {},
    provenance: {},
    ...fields,
  };
}

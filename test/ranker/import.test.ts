import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkDigests } from "../../src/ranker/digests.js";
import { padBatch } from "../../src/ranker/engine/session/padding.js";
import {
  type ImportOptions,
  type ImportReport,
  importFolder,
} from "../../src/ranker/import/import-folder.js";
import { type GraphProto, makeNode } from "../../src/ranker/import/onnx.js";
import { openProbeSession, type Value } from "../../src/ranker/import/probe-session.js";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import { loadTokeniser, type TokenisedText } from "../../src/ranker/tokeniser.js";
import { temporaryFolder } from "../support/app.js";
import {
  append,
  copyOfExport,
  EXPORTS,
  type Expected,
  expectedOf,
  exportFolder,
  nodeOf,
  withGraph,
  withJson,
} from "../support/exports.js";

/** Imports a stock folder as the model `mine`. */
async function imported(source: string, options: Partial<ImportOptions> = {}) {
  const output = join(temporaryFolder(), "mine");
  const report = await importFolder(source, { name: "mine", output, replace: false, ...options });
  return { output, report };
}

/** Why a stock folder is refused. */
function refusal(source: string, options: Partial<ImportOptions> = {}): Promise<string> {
  return imported(source, { output: null, ...options }).then(
    () => expect.fail("was imported"),
    (error) => `${error.code}: ${error.message}`,
  );
}

/** Logits and features of the imported graph, a text at a time. */
async function answersOf(folder: string, texts: readonly Expected[]) {
  const { manifest } = await readModelFolder(folder);
  const tokenise = await loadTokeniser({ directory: folder, manifest });
  const session = await openProbeSession(join(folder, manifest.graphs.forward));
  const answers: { ids: number[]; logits: Value; features: Value }[] = [];
  for (const text of texts) {
    const [row] = (await tokenise([text])) as [TokenisedText];
    const batch = padBatch([row], manifest, { kind: "cpu" });
    const answer = await session.run(batch, ["logits", "features"]);
    answers.push({ ids: [...row.ids], logits: answer("logits"), features: answer("features") });
  }
  await session.close();
  return answers;
}

/** The largest difference; infinite where there are more or fewer numbers. */
function distance(found: ArrayLike<number>, expected: readonly number[]): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(...expected.map((value, i) => Math.abs(value - (found[i] as number))));
}

/** The imported folder answers as PyTorch does: the same tokens, logits and features. */
async function expectPyTorch(output: string, texts: readonly Expected[]): Promise<void> {
  const answers = await answersOf(output, texts);
  for (const [t, { ids, logits, features }] of texts.entries()) {
    const answer = answers[t] as (typeof answers)[number];
    expect(answer.ids).toEqual(ids);
    expect(answer.logits.dims).toEqual([1, logits.length]);
    expect(answer.features.dims).toEqual([1, features.length]);
    expect(distance(answer.logits.data, logits)).toBeLessThan(1e-5);
    expect(distance(answer.features.data, features)).toBeLessThan(1e-5);
  }
}

describe("an imported export", () => {
  it.each(EXPORTS)("of %s answers PyTorch's tokens, logits and features", async (name) => {
    const { output, report } = await imported(exportFolder(name));
    await expectPyTorch(output, expectedOf(name));
    expect(report.findings.lastLayerError).toBeLessThan(1e-6);
    expect(report.lastLayer.hasBias).toBe(true);
  });

  it.each([
    ["bert", { task: "binary", classes: 1, class_names: null, max_tokens: 32 }],
    [
      "roberta",
      { task: "classification", classes: 3, class_names: ["exact", "partial", "none"], max_tokens: 64 },
    ],
    ["distilbert", { task: "regression", classes: 1, class_names: null, max_tokens: 32 }],
    ["electra", { task: "classification", classes: 2, class_names: null, max_tokens: 32 }],
  ] as const)("of %s has a manifest that its files make true", async (name, fields) => {
    const { output } = await imported(exportFolder(name));
    const folder = await readModelFolder(output);
    expect(folder.manifest).toMatchObject({ name: "mine", ...fields, graphs: { forward: "forward.onnx" } });
    await checkDigests(folder);
    expect(readdirSync(output).sort()).toEqual([...Object.keys(folder.manifest.files), "model.json"].sort());
  });

  it("keeps weights that lie beside the graph in one file", async () => {
    const { output } = await imported(exportFolder("distilbert"));
    expect(readFileSync(join(output, "weights.bin")).length).toBeGreaterThan(5000);
    expect(readFileSync(join(output, "forward.onnx")).includes("model.onnx_data")).toBe(false);
  });

  it("keeps what this program does not know of ONNX", async () => {
    const { output } = await imported(exportFolder("bert"));
    const [stock, forward] = [join(exportFolder("bert"), "model.onnx"), join(output, "forward.onnx")].map(
      (path) => readFileSync(path),
    ) as [Buffer, Buffer];
    for (const graph of [stock, forward]) expect(graph.includes("pytorch")).toBe(true); // producer_name
    expect(forward.length).toBeGreaterThan(stock.length);
  });

  it("takes another task and a shorter input than the files say", async () => {
    const { report } = await imported(exportFolder("bert"), {
      task: "regression",
      tokensMax: 16,
      output: null,
    });
    expect(report.manifest).toMatchObject({ task: "regression", max_tokens: 16 });
  });
});

/** Has the last layer of the BERT run at every token. */
function perToken(graph: GraphProto, output: string): void {
  const layer = nodeOf(graph, "logits");
  const [, weight = ""] = layer.input;
  graph.node = graph.node.filter((node) => node !== layer);
  graph.node.push(
    makeNode({ opType: "Transpose", input: [weight], output: ["columns"] }),
    makeNode({ opType: "MatMul", input: [HIDDEN_STATES, "columns"], output: [output] }),
  );
}

const HIDDEN_STATES = "/bert/encoder/layer.0/output/LayerNorm/LayerNormalization_output_0";

describe("the last layer", () => {
  it.each([
    ["Sigmoid", "bert"],
    ["Softmax", "roberta"],
  ] as const)("is found before a %s, and logits are what that is given", async (activation, name) => {
    const source = withGraph(name, (graph) => append(graph, activation, "logits"));
    const { output, report } = await imported(source);
    expect(report.activation).toBe(activation);
    await expectPyTorch(output, expectedOf(name));
  });

  it.each(["Squeeze", "Identity", "Flatten"])("is found before %s", async (opType) => {
    const source = withGraph("bert", (graph) => append(graph, opType, "logits"));
    await expectPyTorch((await imported(source)).output, expectedOf("bert"));
  });

  it("is found under another name of its output", async () => {
    const rename = (graph: GraphProto): void => {
      nodeOf(graph, "logits").output = ["scores"];
      for (const output of graph.output) output.name = "scores";
    };
    await expectPyTorch((await imported(withGraph("bert", rename))).output, expectedOf("bert"));
  });

  it("is found as a product and a sum", async () => {
    const source = withGraph("bert", (graph) => {
      const layer = nodeOf(graph, "logits");
      const [features = "", weight = "", bias = ""] = layer.input;
      graph.node = graph.node.filter((node) => node !== layer);
      graph.node.push(
        makeNode({ opType: "Transpose", input: [weight], output: ["columns"] }),
        makeNode({ opType: "MatMul", input: [features, "columns"], output: ["product"] }),
        makeNode({ opType: "Add", input: [bias, "product"], output: ["logits"] }),
      );
    });
    await expectPyTorch((await imported(source)).output, expectedOf("bert"));
  });

  it("has the features of the token that is taken after it", async () => {
    const source = withGraph("bert", (graph) => {
      const { input, attribute } = graph.node.find(
        ({ opType, input }) => opType === "Gather" && input[0] === HIDDEN_STATES,
      ) as (typeof graph.node)[number];
      perToken(graph, "every");
      graph.node.push(
        makeNode({ opType: "Gather", input: ["every", input[1] as string], output: ["logits"], attribute }),
      );
    });
    const { output, report } = await imported(source);
    expect(report.lastLayer.hasBias).toBe(false);
    const [answer] = await answersOf(output, expectedOf("bert").slice(0, 1));
    expect(answer?.features.dims).toEqual([1, 8]);
  });

  it("may keep the names that Assay gives", async () => {
    const source = withGraph("bert", (graph) => {
      // Another value than the last layer's input bears the name.
      for (const node of graph.node) {
        node.input = node.input.map((name) => (name === HIDDEN_STATES ? "features" : name));
        node.output = node.output.map((name) => (name === HIDDEN_STATES ? "features" : name));
      }
    });
    await expectPyTorch((await imported(source)).output, expectedOf("bert"));
  });
});

describe("an export is refused", () => {
  const batchInput = (graph: GraphProto) =>
    graph.input[0]?.type?.tensorType?.shape?.dim[0] as { dimValue: bigint };

  it.each<[string, (graph: GraphProto) => void, RegExp]>([
    [
      "whose logits add two branches",
      (graph) => append(graph, "Add", "logits", "/bert/pooler/dense/Gemm_output_0"),
      /adds two branches that both depend on the text \(Gemm \/classifier\/Gemm and Gemm \/bert\/pooler\/dense\/Gemm\)/,
    ],
    [
      "whose last layer runs at every token",
      (graph) => perToken(graph, "logits"),
      /at every token .*token classifier/,
    ],
    [
      "that is an encoder without a head",
      (graph) => {
        for (const output of graph.output) output.name = HIDDEN_STATES;
      },
      /LayerNormalization .* has to be a Gemm.* without a head/,
    ],
    [
      "without logits among several outputs",
      (graph) => {
        nodeOf(graph, "logits").output = ["scores"];
        graph.output = ["scores", HIDDEN_STATES].map(
          (name) => ({ ...graph.output[0], name }) as GraphProto["output"][0],
        );
      },
      /no output logits, only scores, .* name it with --logits/,
    ],
    [
      "whose logits are scaled after the last layer",
      (graph) => append(graph, "Mul", "logits", "classifier.bias"),
      /Mul logits computes output logits/,
    ],
    [
      "that is quantised dynamically",
      (graph) =>
        graph.node.push(
          makeNode({ opType: "DynamicQuantizeLinear", input: ["logits"], output: ["q", "s", "z"] }),
        ),
      /quantised dynamically .* Import the float32 export/,
    ],
    [
      "of a fixed batch",
      (graph) => {
        batchInput(graph).dimValue = 1n;
      },
      /input input_ids has a fixed size \(1, sequence_length\): export it with dynamic axes/,
    ],
    [
      "with an input that nobody feeds",
      (graph) => {
        for (const input of graph.input) if (input.name === "token_type_ids") input.name = "position_ids";
      },
      /has an input position_ids/,
    ],
    [
      "without a mask",
      (graph) => {
        graph.input = graph.input.filter(({ name }) => name !== "attention_mask");
      },
      /no input attention_mask/,
    ],
    [
      "that reads padding as text",
      (graph) => {
        graph.node.unshift(
          makeNode({ opType: "Sub", input: ["attention_mask", "attention_mask"], output: ["nothing"] }),
        );
        for (const { opType, input } of graph.node)
          if (opType === "Unsqueeze" && input[0] === "attention_mask") input[0] = "nothing";
      },
      /answer to a text depends on the other texts of the batch/,
    ],
    [
      "with an operator that the runtime does not know",
      (graph) => append(graph, "Dropout", "logits", "", "", "too many"),
      /ONNX Runtime does not load the graph/,
    ],
  ])("%s", async (_, change, message) => {
    expect(await refusal(withGraph("bert", change))).toMatch(message);
  });

  it.each<[string, () => string, RegExp, Partial<ImportOptions>?]>([
    [
      "whose classes are not those of its configuration",
      () => withJson("roberta", "config.json", { id2label: { 0: "no", 1: "yes" } }),
      /has 2 class\(es\), but the graph's last layer has 3/,
    ],
    [
      "of several labels at once",
      () => withJson("roberta", "config.json", { problem_type: "multi_label_classification" }),
      /multi-label/,
    ],
    [
      "that lost its token types",
      () => withJson("distilbert", "config.json", { type_vocab_size: 2 }),
      /no input token_type_ids, which tells the model which tokens are query and document/,
    ],
    [
      "whose tokeniser does not say how texts are joined",
      () => withJson("bert", "tokenizer.json", { post_processor: null }),
      /no post_processor/,
    ],
    [
      "whose template holds the texts in another order",
      () =>
        withJson("bert", "tokenizer.json", {
          post_processor: {
            type: "TemplateProcessing",
            single: [{ Sequence: { id: "A", type_id: 0 } }],
            pair: [{ Sequence: { id: "B", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
            special_tokens: {},
          },
        }),
      /template of tokenizer.json holds A, B then A/,
    ],
    [
      "whose longest input is not said",
      () => withJson("roberta", "config.json", { max_position_embeddings: undefined }),
      /pass --max-tokens/,
    ],
    [
      "for more tokens than its positions",
      () => exportFolder("bert"),
      /fails on a text of 65 tokens/,
      { tokensMax: 65 },
    ],
    [
      "as a task that it is not",
      () => exportFolder("roberta"),
      /task binary needs one logit, but the graph answers 3/,
      { task: "binary" },
    ],
  ])("%s", async (_, source, message, options = {}) => {
    expect(await refusal(source(), options)).toMatch(message);
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    [
      "without its external data",
      (folder) => rmSync(join(folder, "model.onnx_data")),
      /model\.onnx_data, which holds/,
    ],
    [
      "whose external data are cut off",
      (folder) => truncateSync(join(folder, "model.onnx_data"), 100),
      /model\.onnx_data has 100 bytes, but tensor .* check that the file is complete/,
    ],
    ["without a graph", (folder) => rmSync(join(folder, "model.onnx")), /no ONNX graph/],
    [
      "that is no ONNX model",
      (folder) => writeFileSync(join(folder, "model.onnx"), "graph"),
      /not an ONNX model/,
    ],
    [
      "that is too large for one message",
      (folder) => truncateSync(join(folder, "model.onnx"), 2 ** 31),
      /more than 2 GiB/,
    ],
    [
      "without a tokeniser",
      (folder) => rmSync(join(folder, "tokenizer.json")),
      /tokenizer\.json cannot be read/,
    ],
  ])("%s", async (_, spoil, message) => {
    const folder = copyOfExport("distilbert");
    spoil(folder);
    expect(await refusal(folder)).toMatch(message);
  });

  it("where the output exists, which stays; --replace takes its place", async () => {
    const { output } = await imported(exportFolder("bert"));
    const before = readFileSync(join(output, "model.json"), "utf8");
    expect(await refusal(exportFolder("electra"), { output })).toMatch(/^output_invalid: .* exists/);
    expect(readFileSync(join(output, "model.json"), "utf8")).toBe(before);
    await imported(exportFolder("electra"), { output, replace: true });
    expect((await readModelFolder(output)).manifest.classes).toBe(2);
    expect(readdirSync(dirname(output))).toEqual(["mine"]);
  });

  it("and leaves nothing behind", async () => {
    const output = join(temporaryFolder(), "mine");
    await refusal(
      withGraph("bert", (graph) => perToken(graph, "logits")),
      { output },
    );
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(dirname(output))).toEqual([]);
  });
});

describe("a dry run", () => {
  it("finds the same and writes nothing", async () => {
    const { report: written } = await imported(exportFolder("bert"));
    const { report: tried } = await imported(exportFolder("bert"), { output: null });
    const timeless = ({ manifest, ...report }: ImportReport) => ({
      ...report,
      manifest: { ...manifest, provenance: { ...manifest.provenance, created: "" } },
    });
    expect(timeless(tried)).toEqual(timeless(written));
  });
});

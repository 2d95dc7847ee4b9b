import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { AssayError, messageOf } from "../../errors.js";
import { digestOfFile } from "../digests.js";
import { type Manifest, manifestSchema, WEIGHTS_FILE } from "../manifest.js";
import { loadTokeniser } from "../tokeniser.js";
import {
  type CheckpointChoices,
  type CheckpointFiles,
  type CheckpointPart,
  readCheckpoint,
} from "./checkpoint.js";
import { gatherExternalWeights } from "./external-weights.js";
import { type ExposedModel, exposeFeatures } from "./features.js";
import { readGraphInputs } from "./graph-inputs.js";
import { describeNode, findLastLayer, type LastLayer } from "./last-layer.js";
import { decodeModel, type GraphProto } from "./onnx.js";
import { type HeadSizes, measureHead, type ProbedManifest, type ProbeFindings, probe } from "./probe.js";
import { openProbeSession } from "./probe-session.js";
import { readGraph, readStockFolder, STOCK_FILES } from "./source.js";
import { readTokenizer } from "./tokenizer-config.js";

export interface ImportOptions extends CheckpointChoices {
  readonly name: string;
  /** The model folder to make. If null, the import is only tried, and nothing is kept. */
  readonly output: string | null;
  /** Replaces `output` if it exists. */
  readonly replace: boolean;
  /** The graph's file in the folder, if it does not have the usual name. */
  readonly graph?: string;
  /** The output with the logits, if the graph has several outputs and none is named logits. */
  readonly logits?: string;
}

/** The result of an import. */
export interface ImportReport {
  readonly manifest: Manifest;
  readonly graph: string;
  /** The node, such as "Gemm /classifier/Gemm", and the name of the value that it multiplies. */
  readonly lastLayer: { readonly node: string; readonly features: string; readonly hasBias: boolean };
  readonly activation: LastLayer["activation"];
  readonly findings: ProbeFindings;
  /** Sentences that say where the served tokens are known to differ from those of transformers 5. */
  readonly knownDifferences: readonly string[];
}

const FORWARD_FILE = "forward.onnx";
const PROBE_FILE = "probe.onnx";
/** Tolerance of the self-test. Its logits come from ONNX Runtime too, so they differ at most by its build. */
const SELF_TEST_TOLERANCE = 1e-3;

/**
 * Makes a model folder from a stock ONNX export, without PyTorch. It finds the last layer, names its input `features`, runs the
 * graph to check this, and writes graph, tokeniser and manifest. It works in a folder next to `output` and renames it at the end.
 * Throws `model_invalid` saying what the export lacks, and `output_invalid` if the folder cannot be written.
 */
export async function importFolder(source: string, options: ImportOptions): Promise<ImportReport> {
  const { output, replace } = options;
  if (output !== null && existsSync(output) && !replace) {
    throw new AssayError("output_invalid", {
      detail: `${output} exists already: choose another folder, or replace it with --replace`,
    });
  }
  const holder = await makeHolder(output);
  try {
    const folder = join(holder, "new");
    await mkdir(folder);
    const report = await importInto(folder, source, options);
    if (output !== null) {
      if (existsSync(output)) await rename(output, join(holder, "old"));
      await rename(folder, output);
    }
    return report;
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== "model_invalid") throw error;
    throw new AssayError("model_invalid", {
      detail: `${source} cannot be imported: ${error.message}`,
      cause: error,
    });
  } finally {
    await rm(holder, { recursive: true, force: true });
  }
}

async function importInto(folder: string, source: string, options: ImportOptions): Promise<ImportReport> {
  const stock = await readStockFolder(source, options.graph);
  const model = decodeModel(await readGraph(stock.graph));
  const inputs = readGraphInputs(model.graph);
  refuseBatchScales(model.graph);
  const stockOutput = chooseOutput(model.graph, options.logits);
  const layer = findLastLayer(model.graph, stockOutput);
  await gatherExternalWeights(model.graph, stock.graphDirectory, join(folder, WEIGHTS_FILE), WEIGHTS_FILE);
  const exposed = exposeFeatures(model, layer, stockOutput);
  await writeFile(join(folder, PROBE_FILE), exposed.probe());
  for (const name of STOCK_FILES) await copyFile(join(source, name), join(folder, name));
  const { json, knownDifferences } = readTokenizer(stock.files);
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));

  const { part, head, findings } = await examine(folder, stock.files, { inputs, layer, exposed }, options);
  await writeFile(join(folder, FORWARD_FILE), exposed.forward(head.classes, head.features));
  await rm(join(folder, PROBE_FILE));
  const lastLayer = {
    node: describeNode(layer.product),
    features: layer.features,
    hasBias: layer.bias !== null,
  };
  const manifest = checkManifest({
    format: 1,
    name: options.name,
    ...part,
    files: await describeFiles(folder),
    graphs: { forward: FORWARD_FILE },
    head: { weight: null, bias: null, features: head.features },
    parameters: [],
    ...describeFindings(findings),
    provenance: {
      imported_from: { file: basename(stock.graph), sha256: await digestOfFile(stock.graph) },
      last_layer: lastLayer.node,
      created: new Date().toISOString(),
      known_differences: knownDifferences,
    },
    metrics: {},
    licence: { spdx: "NOASSERTION", notices: [] },
  });
  await writeFile(join(folder, "model.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  const { activation } = layer;
  const graph = relative(source, stock.graph);
  return { manifest, graph, lastLayer, activation, findings, knownDifferences };
}

/** What the graph seems to be; `examine` checks it. */
interface Taken {
  readonly inputs: Manifest["inputs"];
  readonly layer: LastLayer;
  readonly exposed: ExposedModel;
}

/** Runs the graph, reads the checkpoint's files and checks both against each other. */
async function examine(
  folder: string,
  files: CheckpointFiles,
  { inputs, layer, exposed }: Taken,
  choices: CheckpointChoices,
): Promise<{ part: ProbedManifest & CheckpointPart; head: HeadSizes; findings: ProbeFindings }> {
  const session = await openProbeSession(join(folder, PROBE_FILE));
  try {
    const head = await measureHead(session, exposed, inputs, layer);
    const part = { inputs, ...readCheckpoint(files, { inputs, ...head }, choices) };
    const tokenise = await loadTokeniser({ directory: folder, manifest: part });
    return { part, head, findings: await probe(session, exposed, layer, part, tokenise) };
  } finally {
    await session.close();
  }
}

/** Makes a folder for the unfinished import, next to `output` on the same file system. A service does not take it for a model. */
async function makeHolder(output: string | null): Promise<string> {
  if (output === null) return mkdtemp(join(tmpdir(), "assay-inspect-"));
  const target = resolve(output);
  try {
    await mkdir(dirname(target), { recursive: true });
    return await mkdtemp(join(dirname(target), `.${basename(target)}.`));
  } catch (cause) {
    throw new AssayError("output_invalid", {
      detail: `${output} cannot be written: ${messageOf(cause)}`,
      cause,
    });
  }
}

/**
 * Refuses a graph that is quantised dynamically. Its scale spans the whole batch, so texts would change each other's answers, and
 * the store keeps answers by text.
 */
function refuseBatchScales({ node }: GraphProto): void {
  const found = node.find(({ opType }) => opType.startsWith("DynamicQuantize"));
  if (found === undefined) return;
  throw new AssayError("model_invalid", {
    detail: `the graph is quantised dynamically (${describeNode(found)}), with one scale for a whole batch, so a text's answer would depend on the other texts of its batch. Import the float32 export`,
  });
}

function chooseOutput({ output }: GraphProto, asked?: string): string {
  const names = output.map(({ name }) => name);
  const chosen = asked ?? (names.includes("logits") || names.length > 1 ? "logits" : (names[0] ?? "logits"));
  if (names.includes(chosen)) return chosen;
  throw new AssayError("model_invalid", {
    detail: `the graph has no output ${chosen}, only ${names.join(", ")}. If one of them holds logits, name it with --logits. An encoder without a head cannot be imported, because it does not rank`,
  });
}

async function describeFiles(folder: string): Promise<Manifest["files"]> {
  const names = [
    FORWARD_FILE,
    ...STOCK_FILES,
    ...(existsSync(join(folder, WEIGHTS_FILE)) ? [WEIGHTS_FILE] : []),
  ];
  const entries = names.map(async (name) => {
    const path = join(folder, name);
    return [name, { sha256: await digestOfFile(path), bytes: (await stat(path)).size }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function describeFindings({
  lastLayerError,
  batchError,
  samples,
}: ProbeFindings): Pick<Manifest, "precision" | "self_test"> {
  return {
    precision: {
      imported: { last_layer_error: lastLayerError, batch_error: batchError },
      gradients: {
        unsupported:
          "the folder was imported from an ONNX file, which holds no backward pass; to get these graphs, export the checkpoint with python -m assay.export folder",
      },
    },
    self_test: {
      tolerance: SELF_TEST_TOLERANCE,
      samples: samples.map(({ text: { first, second }, logits }) =>
        second === null
          ? { text: first, logits: [...logits] }
          : { query: first, document: second, logits: [...logits] },
      ),
    },
  };
}

function checkManifest(json: unknown): Manifest {
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AssayError("model_invalid", {
    detail: `the service would refuse its manifest: ${issue?.path.join(".")}: ${issue?.message}`,
    cause: parsed.error,
  });
}

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { importFolder } from "../../src/ranker/import/import-folder.js";
import {
  decodeModel,
  encodeModel,
  type GraphProto,
  makeNode,
  type NodeProto,
} from "../../src/ranker/import/onnx.js";
import { temporaryFolder } from "./app.js";

/** Stock exports of small random rankers, with PyTorch's answers: test/oracle/exports.py. */
export const EXPORTS = ["bert", "roberta", "distilbert", "electra"] as const;
export type ExportName = (typeof EXPORTS)[number];

/** What PyTorch says of a text. */
export interface Expected {
  readonly first: string;
  readonly second: string | null;
  readonly ids: readonly number[];
  readonly logits: readonly number[];
  /** The input of the last layer. */
  readonly features: readonly number[];
}

export function exportFolder(name: ExportName): string {
  return fileURLToPath(new URL(`../oracle/exports/${name}`, import.meta.url));
}

export function expectedOf(name: ExportName): Expected[] {
  return JSON.parse(readFileSync(join(exportFolder(name), "expected.json"), "utf8"));
}

/**
 * For a test file whose figures may come from any ranker: a models folder whose default model is a small export, without gradient
 * graphs, which an engine loads in a tenth of the shipped model's time. Called outside tests; read `directory` within them.
 */
export function smallModels(): { readonly directory: string } {
  const models = { directory: "" };
  beforeAll(async () => {
    models.directory = mkdtempSync(join(tmpdir(), "assay-models-"));
    const output = join(models.directory, "default");
    await importFolder(exportFolder("bert"), { name: "default", output, replace: false });
  });
  afterAll(() => rmSync(models.directory, { recursive: true, force: true }));
  return models;
}

/** A copy of an export, for a test to spoil. */
export function copyOfExport(name: ExportName): string {
  const folder = join(temporaryFolder(), name);
  cpSync(exportFolder(name), folder, { recursive: true });
  return folder;
}

/** A copy of an export whose graph is changed. */
export function withGraph(name: ExportName, change: (graph: GraphProto) => void): string {
  const folder = copyOfExport(name);
  const path = join(folder, "model.onnx");
  const model = decodeModel(readFileSync(path));
  change(model.graph);
  writeFileSync(path, encodeModel(model));
  return folder;
}

/** A copy of an export with fields of a JSON file set; undefined takes one away. */
export function withJson(name: ExportName, file: string, fields: object): string {
  const folder = copyOfExport(name);
  const path = join(folder, file);
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...fields }));
  return folder;
}

/** Puts `opType` between the node that makes `value` and what reads it as an output of the graph. */
export function append(graph: GraphProto, opType: string, value: string, ...more: string[]): void {
  const before = `${value}.before`;
  for (const node of graph.node) node.output = node.output.map((name) => (name === value ? before : name));
  graph.node.push(makeNode({ opType, input: [before, ...more], output: [value] }));
}

/** The node that makes a value. */
export function nodeOf(graph: GraphProto, value: string): NodeProto {
  const node = graph.node.find(({ output }) => output.includes(value));
  if (node === undefined) throw new Error(`nothing makes ${value}`);
  return node;
}

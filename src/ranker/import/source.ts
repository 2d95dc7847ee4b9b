import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { AssayError, messageOf } from "../../errors.js";
import { readJson } from "../model-folder.js";
import type { CheckpointFiles } from "./checkpoint.js";

/** A folder that Optimum or sentence-transformers has written. */
export interface StockFolder {
  readonly graph: string;
  /** The folder of the graph's external data. */
  readonly graphDirectory: string;
  readonly files: CheckpointFiles;
}

/** The files that a model folder keeps in addition to the graph. */
export const STOCK_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json"] as const;
/** The largest protobuf message, and the largest Buffer. */
const GRAPH_BYTES_MAX = 2 ** 31 - 1;

/**
 * Finds the graph and reads the JSON files. The graph is `model.onnx` or `onnx/model.onnx`, unless `graph` names another file.
 * Throws `model_invalid` naming what is missing.
 */
export async function readStockFolder(directory: string, graph?: string): Promise<StockFolder> {
  if (!existsSync(directory)) throw refused("there is no such folder");
  if (existsSync(join(directory, "model.json")))
    throw refused(
      "it holds a model.json, so it is a model folder already: Assay serves it without an import",
    );
  const path = join(directory, graph ?? (await findGraph(directory)));
  const [config, tokenizer, tokenizerConfig] = await Promise.all(
    STOCK_FILES.map((name) => readJson(join(directory, name), name)),
  );
  return { graph: path, graphDirectory: dirname(path), files: { config, tokenizer, tokenizerConfig } };
}

/** The graph's bytes. Throws `model_invalid` if the file is too large or cannot be read. */
export async function readGraph(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > GRAPH_BYTES_MAX) {
      throw refused(
        `${path} has ${size} bytes, more than 2 GiB: export it with external data (model.onnx_data)`,
      );
    }
    return await readFile(path);
  } catch (cause) {
    throw cause instanceof AssayError ? cause : refused(`${path} cannot be read: ${messageOf(cause)}`, cause);
  }
}

async function findGraph(directory: string): Promise<string> {
  const stock = ["model.onnx", join("onnx", "model.onnx")].filter((name) =>
    existsSync(join(directory, name)),
  );
  if (stock.length === 1) return stock[0] as string;
  const found = await listGraphs(directory);
  const listed = found.join(", ");
  if (stock.length > 1) throw refused(`it holds ${stock.join(" and ")}: name one with --graph`);
  throw refused(
    found.length === 0
      ? "it holds no ONNX graph (model.onnx or onnx/model.onnx)"
      : `it holds no model.onnx, but ${listed}: name the graph with --graph`,
  );
}

async function listGraphs(directory: string): Promise<string[]> {
  const folders = ["", "onnx"].filter((folder) => existsSync(join(directory, folder)));
  const names = await Promise.all(
    folders.map(async (folder) => (await readdir(join(directory, folder))).map((name) => join(folder, name))),
  );
  return names.flat().filter((name) => extname(name) === ".onnx");
}

function refused(detail: string, cause?: unknown): AssayError {
  return new AssayError("model_invalid", { detail, cause });
}

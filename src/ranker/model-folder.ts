import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AssayError } from "../errors.js";
import { describeLearned } from "./learned-part.js";
import { type Manifest, manifestSchema } from "./manifest.js";
import { GRADIENT_GRAPHS, type ModelDescription, type Precision } from "./port.js";

/** A model folder whose manifest has been read; its large files have not been looked at yet. */
export interface ModelFolder {
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Names of the model folders under `directory`: those that hold a `model.json`. */
export async function listModelFolders(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => existsSync(join(directory, name, "model.json"))).sort();
  } catch (cause) {
    throw new AssayError("model_invalid", { detail: `The models folder ${directory} cannot be read`, cause });
  }
}

/** Reads and checks the manifest; throws `model_invalid` naming the fault. */
export async function readModelFolder(directory: string, file = "model.json"): Promise<ModelFolder> {
  const path = join(directory, file);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `${path} cannot be read: ${(cause as Error).message}`,
      cause,
    });
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    throw new AssayError("model_invalid", {
      detail: `${path} is not a manifest:\n${z.prettifyError(parsed.error)}`,
    });
  }
  return { directory, manifest: parsed.data };
}

/** Files that the manifest names and the folder lacks. */
export function absentFiles({ directory, manifest }: ModelFolder): string[] {
  return Object.keys(manifest.files).filter((name) => !existsSync(join(directory, name)));
}

/** Compares every file with its digest in the manifest; throws `model_invalid` naming the first that differs. */
export async function checkDigests(folder: ModelFolder): Promise<void> {
  for (const name of Object.keys(folder.manifest.files)) await checkDigest(folder, name);
}

/** Compares one file of the manifest with its digest; throws `model_invalid`. */
export async function checkDigest({ directory, manifest }: ModelFolder, name: string): Promise<void> {
  const expected = manifest.files[name]?.sha256;
  let found: string;
  try {
    found = await digestOfFile(join(directory, name));
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `${join(directory, name)} cannot be read: ${(cause as Error).message}`,
      cause,
    });
  }
  if (found !== expected) {
    throw new AssayError("model_invalid", {
      detail: `${join(directory, name)} does not match its digest: the manifest says ${expected}, the file is ${found}`,
    });
  }
}

/** SHA-256 of a file, in hex. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** What callers may know of the model. */
export function describeModel({ manifest }: ModelFolder, precision: Precision): ModelDescription {
  const precisions: Precision[] = manifest.graphs["forward.int8"] === undefined ? ["fp32"] : ["fp32", "int8"];
  if (!precisions.includes(precision)) {
    throw new AssayError("model_invalid", {
      detail: `Model ${manifest.name} has no forward.int8.onnx, and ASSAY_PRECISION asks for int8`,
    });
  }
  return {
    name: manifest.name,
    version: digestOf(manifest, ["weights.bin", "tokenizer.json", manifest.graphs.forward]).slice(0, 16),
    task: manifest.task,
    classes: manifest.classes,
    classNames: manifest.class_names ?? null,
    tokensMax: manifest.max_tokens,
    precisions,
    precision,
    gradientGraphs: GRADIENT_GRAPHS.filter((graph) => manifest.graphs[graph] !== undefined),
    gradientGraphsUnsupported: unsupportedReason(manifest),
    contentDigests: contentDigests(manifest),
    weightsDigest: manifest.files["weights.bin"]?.sha256 ?? "absent",
    learned: describeLearned(manifest.learned),
    provenance: manifest.provenance,
    metrics: manifest.metrics,
    licence: manifest.licence,
  };
}

/** The exporter keeps what stops it under `precision.gradients.unsupported`. */
function unsupportedReason({ precision }: Manifest): string | null {
  const { gradients } = precision as { gradients?: { unsupported?: unknown } };
  return typeof gradients?.unsupported === "string" ? gradients.unsupported : null;
}

/** A record is of one graph, and norms overwrites what forward wrote: so the norms graph belongs to the fp32 scope. */
function contentDigests(manifest: Manifest): ModelDescription["contentDigests"] {
  const { forward, "forward.int8": int8, norms, tangent } = manifest.graphs;
  const scope = (name: Precision | "tangent", ...graphs: readonly string[]): string =>
    digestOf(manifest, ["weights.bin", "tokenizer.json", ...graphs], name);
  return {
    fp32: scope("fp32", forward, ...(norms === undefined ? [] : [norms])),
    ...(int8 !== undefined && { int8: scope("int8", int8) }),
    ...(tangent !== undefined && { tangent: scope("tangent", tangent) }),
  };
}

function digestOf(manifest: Manifest, files: readonly string[], scope?: string): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(manifest.files[file]?.sha256 ?? "absent");
  if (scope !== undefined) hash.update(`${scope}:${manifest.max_tokens}`);
  return hash.digest("hex");
}

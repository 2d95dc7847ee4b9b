import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { AssayError } from "../errors.js";
import { shortened } from "./bounded.js";
import { JsonFault, parseJson } from "./json.js";
import { describeLearned } from "./learned-part.js";
import {
  type Manifest,
  manifestSchema,
  nameSchema,
  TOKENISATION,
  TOKENISER_FILE,
  WEIGHTS_FILE,
} from "./manifest.js";
import { GRADIENT_GRAPHS, type ModelDescription, type Precision } from "./port.js";
import { fileFault } from "./thrown.js";

/** A model folder whose manifest has been read; its large files have not been looked at yet. */
export interface ModelFolder {
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Names of the model folders under `directory`: those that hold a `model.json`. A hidden one is none. */
export async function listModelFolders(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => !name.startsWith(".") && existsSync(join(directory, name, "model.json")))
      .sort();
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `The models folder cannot be read: ${fileFault(cause)}`,
      cause,
    });
  }
}

/**
 * Reads and checks the manifest. A model is called as its folder is: what a manifest says its name was is for people, so that
 * a copied folder is a model of its own. Throws `model_invalid` naming the fault.
 */
export async function readModelFolder(directory: string, file = "model.json"): Promise<ModelFolder> {
  const name = basename(resolve(directory));
  const json = await readJson(join(directory, file), `${name}/${file}`, MANIFEST_BYTES_MAX);
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    throw new AssayError("model_invalid", {
      detail: `${name}/${file} is not a manifest:\n${shortened(z.prettifyError(parsed.error))}`,
    });
  }
  const manifest = { ...parsed.data, name };
  if (!nameSchema.safeParse(name).success) {
    throw new AssayError("model_invalid", { detail: `The folder's name ${name} is too long: rename it` });
  }
  return { directory, manifest };
}

/** JSON of a file of the models folder, called `shown`. Throws `model_invalid`. */
export async function readJson(path: string, shown: string, bytesMax = JSON_BYTES_MAX): Promise<unknown> {
  try {
    const { size } = await stat(path);
    if (size > bytesMax) throw new JsonFault("", `has ${size} bytes; it may have ${bytesMax}`);
    return parseJson(await readFile(path));
  } catch (cause) {
    const why = cause instanceof JsonFault ? `${cause.path || "it"} ${cause.message}` : fileFault(cause);
    const detail = `${shown} cannot be read: ${why}`;
    throw new AssayError("model_invalid", { detail, cause });
  }
}

/** The largest of them are tokenisers of a quarter of a million words, with 35 MB. */
const JSON_BYTES_MAX = 256 * 2 ** 20;
/** As much as the header of an upload, and what it does not hold. */
const MANIFEST_BYTES_MAX = 32 * 2 ** 20;

/** Files that the manifest names and the folder lacks. */
export function absentFiles({ directory, manifest }: ModelFolder): string[] {
  return Object.keys(manifest.files).filter((name) => !existsSync(join(directory, name)));
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
    version: digestOf(manifest, [WEIGHTS_FILE, TOKENISER_FILE, manifest.graphs.forward]).slice(0, 16),
    task: manifest.task,
    classes: manifest.classes,
    classNames: manifest.class_names ?? null,
    tokensMax: manifest.max_tokens,
    precisions,
    precision,
    gradientGraphs: GRADIENT_GRAPHS.filter((graph) => manifest.graphs[graph] !== undefined),
    gradientGraphsUnsupported: unsupportedReason(manifest),
    contentDigests: contentDigests(manifest),
    weightsDigest: manifest.files[WEIGHTS_FILE]?.sha256 ?? "absent",
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
    digestOf(manifest, [WEIGHTS_FILE, TOKENISER_FILE, ...graphs], name);
  return {
    fp32: scope("fp32", forward, ...(norms === undefined ? [] : [norms])),
    ...(int8 !== undefined && { int8: scope("int8", int8) }),
    ...(tangent !== undefined && { tangent: scope("tangent", tangent) }),
  };
}

function digestOf(manifest: Manifest, files: readonly string[], scope?: string): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(manifest.files[file]?.sha256 ?? "absent");
  if (scope !== undefined) hash.update(`${scope}:${manifest.max_tokens}:${TOKENISATION}`);
  return hash.digest("hex");
}

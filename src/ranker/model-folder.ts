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
  ALL_PARAMETERS,
  type Manifest,
  manifestSchema,
  nameSchema,
  scopeNames,
  TOKENISATION,
  TOKENISER_FILE,
  WEIGHTS_FILE,
} from "./manifest.js";
import { GRADIENT_GRAPHS, type ModelDescription, type Precision } from "./port.js";
import { fileFault } from "./thrown.js";

/** A model folder whose manifest has been read. Its large files have not been read yet. */
export interface ModelFolder {
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Names of the model folders under `directory`: those that hold a `model.json`. A hidden folder is not a model folder. */
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
 * Reads and checks the manifest. A model has the name of its folder, so that a copied folder is a separate model. The name in the
 * manifest is only for people. Throws `model_invalid` naming the fault.
 */
export async function readModelFolder(directory: string, file = "model.json"): Promise<ModelFolder> {
  const name = basename(resolve(directory));
  const json = await readJson(join(directory, file), `${name}/${file}`, MANIFEST_BYTES_MAX);
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    throw new AssayError("model_invalid", {
      detail: `${name}/${file} is not a valid manifest:\n${shortened(z.prettifyError(parsed.error))}`,
    });
  }
  const manifest = { ...parsed.data, name };
  if (!nameSchema.safeParse(name).success) {
    throw new AssayError("model_invalid", { detail: `The folder's name ${name} is too long: rename it` });
  }
  return { directory, manifest };
}

/** The JSON of a file. Throws `model_invalid`; the message calls the file `shown`. */
export async function readJson(path: string, shown: string, bytesMax = JSON_BYTES_MAX): Promise<unknown> {
  try {
    const { size } = await stat(path);
    if (size > bytesMax) throw new JsonFault("", `has ${size} bytes; the limit is ${bytesMax}`);
    return parseJson(await readFile(path));
  } catch (cause) {
    const why = cause instanceof JsonFault ? `${cause.path || "it"} ${cause.message}` : fileFault(cause);
    const detail = `${shown} cannot be read: ${why}`;
    throw new AssayError("model_invalid", { detail, cause });
  }
}

/** The largest files are tokenisers: one with a quarter of a million words has 35 MB. */
const JSON_BYTES_MAX = 256 * 2 ** 20;
/** The header of an upload, at its largest, and the parts of the manifest that it does not hold. */
const MANIFEST_BYTES_MAX = 32 * 2 ** 20;

/** Files that the manifest names but that are not in the folder. */
export function absentFiles({ directory, manifest }: ModelFolder): string[] {
  return Object.keys(manifest.files).filter((name) => !existsSync(join(directory, name)));
}

/** The description of the model for callers. */
export function describeModel({ manifest }: ModelFolder, precision: Precision): ModelDescription {
  const precisions: Precision[] = manifest.graphs["forward.int8"] === undefined ? ["fp32"] : ["fp32", "int8"];
  if (!precisions.includes(precision)) {
    throw new AssayError("model_invalid", {
      detail: `Model ${manifest.name} has no forward.int8.onnx, and ASSAY_PRECISION asks for int8`,
    });
  }
  return {
    name: manifest.name,
    version: versionOf(manifest),
    task: manifest.task,
    classes: manifest.classes,
    classNames: manifest.class_names ?? null,
    tokensMax: manifest.max_tokens,
    precisions,
    precision,
    gradientGraphs: GRADIENT_GRAPHS.filter((graph) => manifest.graphs[graph] !== undefined),
    gradientGraphsUnsupported: unsupportedReason(manifest),
    gradientScope: gradientScope(manifest),
    embedding: manifest.embedding ?? null,
    contentDigests: contentDigests(manifest),
    weightsDigest: manifest.files[WEIGHTS_FILE]?.sha256 ?? "absent",
    learned: describeLearned(manifest.learned),
    provenance: manifest.provenance,
    metrics: manifest.metrics,
    licence: manifest.licence,
  };
}

/**
 * Names the weights, the tokeniser, the function that the forward graph computes, and a gradient scope other than `all`. A folder whose graphs are drawn again keeps
 * its function, and so its version. A folder without a declared function is known by its forward graph; when the exporter draws
 * that again, it declares the digest of the first one.
 */
function versionOf(manifest: Manifest): string {
  const { files, graphs, function: declared } = manifest;
  const hash = createHash("sha256");
  for (const name of [WEIGHTS_FILE, TOKENISER_FILE]) hash.update(digestIn(files, name));
  return hash
    .update(declared ?? digestIn(files, graphs.forward))
    .update(scopeMark(manifest))
    .digest("hex")
    .slice(0, 16);
}

/** The exporter writes why it cannot make gradient graphs to `precision.gradients.unsupported`. */
function unsupportedReason({ precision }: Manifest): string | null {
  const { gradients } = precision as { gradients?: { unsupported?: unknown } };
  return typeof gradients?.unsupported === "string" ? gradients.unsupported : null;
}

/** The name of the gradient graphs' scope; null if there are none. */
function gradientScope({ graphs, gradient_scope: scope }: Manifest): string | null {
  return GRADIENT_GRAPHS.some((graph) => graphs[graph] !== undefined)
    ? (scope?.name ?? ALL_PARAMETERS)
    : null;
}

/**
 * A record comes from one graph, so another graph of the same function has no records yet. `norms` overwrites records of
 * `forward`, so the norms graph belongs to the scope `fp32`.
 */
function contentDigests(manifest: Manifest): ModelDescription["contentDigests"] {
  const { forward, "forward.int8": int8, norms, tangent } = manifest.graphs;
  const scope = (name: Precision | "tangent", ...graphs: readonly string[]): string =>
    contentDigest(manifest, [WEIGHTS_FILE, TOKENISER_FILE, ...graphs], name);
  return {
    fp32: scope("fp32", forward, ...(norms === undefined ? [] : [norms])),
    ...(int8 !== undefined && { int8: scope("int8", int8) }),
    ...(tangent !== undefined && { tangent: scope("tangent", tangent) }),
  };
}

function contentDigest(manifest: Manifest, names: readonly string[], scope: string): string {
  const hash = createHash("sha256");
  for (const name of names) hash.update(digestIn(manifest.files, name));
  if (scope !== "int8") hash.update(scopeMark(manifest));
  return hash.update(`${scope}:${manifest.max_tokens}:${TOKENISATION}`).digest("hex");
}

/** What a gradient scope adds to digests. `all` adds nothing, so that folders without a scope keep their digests. */
function scopeMark(manifest: Manifest): string {
  const names = scopeNames(manifest);
  return names.length === 0 ? "" : `gradient_scope:${names.join()}`;
}

function digestIn(files: Manifest["files"], name: string): string {
  return files[name]?.sha256 ?? "absent";
}

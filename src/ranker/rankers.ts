import { join } from "node:path";
import { AssayError } from "../errors.js";
import { absentFiles, listModelFolders, type ModelFolder, readModelFolder } from "./model-folder.js";
import type { ModelDescription, Rankers } from "./port.js";
import type { RankerOptions } from "./ranker.js";
import { commitStaging, createStaging, removeStaging, settleFolder } from "./staging.js";
import { openSwappable, type Swappable } from "./swap.js";
import { receiveWeights } from "./weights-upload.js";

/** How an attempt to replace a model ended, for the log and the metrics. */
export interface ReplacementFacts {
  readonly kind: "reload" | "weights";
  readonly outcome: "swapped" | "refused";
  /** The version that serves now; null where none does. */
  readonly version: string | null;
  readonly durationMs: number;
  /** Why it was refused. */
  readonly reason?: string;
}

export interface RankersOptions {
  readonly modelsDirectory: string;
  readonly defaultName: string;
  /** Models that are loaded at once, beside the default one; the others are when they are first asked for. */
  readonly pinned: readonly string[];
  /** Bytes of the largest `weights.bin` that is taken. */
  readonly weightsBytesMax: number;
  readonly ranker: RankerOptions;
  /** Called after each attempt to replace a model, once the old one is gone. */
  readonly onReplacement: (model: string, facts: ReplacementFacts) => void;
  /** A folder of the models folder cannot be served. */
  readonly onFaulty: (model: string, reason: string) => void;
}

/**
 * Reads every model folder and starts the engines of the default model and the pinned ones; the others start when they are
 * first asked for. A faulty folder costs only its own model. Throws `model_invalid` when the default model or a pinned one is
 * missing or faulty.
 */
export async function openRankers(options: RankersOptions): Promise<Rankers> {
  const { modelsDirectory, defaultName, pinned, weightsBytesMax } = options;
  const models = new Map<string, Swappable>();
  const busy = new Set<string>();
  /** Why the folder of a name is none that can be served; a reload reads it again. */
  const faulty = new Map<string, AssayError>();
  for (const name of await listModelFolders(modelsDirectory)) {
    try {
      await settleFolder(join(modelsDirectory, name));
      models.set(name, openSwappable(await readNamedFolder(modelsDirectory, name), options.ranker));
    } catch (error) {
      if (!(error instanceof AssayError) || error.code !== "model_invalid") throw error;
      faulty.set(name, error);
      options.onFaulty(name, error.message);
    }
  }
  for (const name of [defaultName, ...pinned]) {
    if (models.has(name)) continue;
    const fault = faulty.get(name);
    if (fault !== undefined) throw fault;
    const known = [...models.keys()].join(", ") || "none";
    throw new AssayError("model_invalid", {
      detail: `No model folder ${name} in ${modelsDirectory} (folders with a model.json: ${known})`,
    });
  }

  function find(name: string): Swappable {
    const found = models.get(name);
    if (found !== undefined) return found;
    if (faulty.has(name)) {
      throw new AssayError("model_invalid", {
        detail: `The folder of model ${name} has a fault, which the log tells; repair it, then reload the model`,
      });
    }
    throw new AssayError("model_not_found", {
      detail: `No model is named ${JSON.stringify(name)}; there are: ${[...models.keys()].join(", ")}`,
    });
  }

  /** Runs one replacement of a model at a time, and tells how it ended. */
  async function replacing(
    name: string,
    kind: ReplacementFacts["kind"],
    work: () => Promise<void>,
  ): Promise<ModelDescription> {
    if (busy.has(name)) {
      throw new AssayError("model_busy", {
        detail: `Model ${name} is being replaced: ask again when that is done`,
      });
    }
    busy.add(name);
    const startedAtMs = performance.now();
    const tell = (outcome: ReplacementFacts["outcome"], reason?: string): void => {
      const durationMs = Math.round(performance.now() - startedAtMs);
      const version = models.get(name)?.inspect().model.version ?? null;
      options.onReplacement(name, { kind, outcome, version, durationMs, ...(reason && { reason }) });
    };
    try {
      await work();
      tell("swapped");
      return find(name).inspect().model;
    } catch (error) {
      tell("refused", (error as Error).message);
      throw error;
    } finally {
      busy.delete(name);
    }
  }

  /** Only a name that the models folder lists becomes a path. */
  async function isListed(name: string): Promise<boolean> {
    return (await listModelFolders(modelsDirectory)).includes(name);
  }

  function readAgain(name: string): Promise<ModelFolder> {
    return refusedAs("model_rejected", async () => {
      if (await isListed(name)) return readNamedFolder(modelsDirectory, name);
      throw new AssayError("model_invalid", {
        detail: `The folder of model ${name} has no model.json any more`,
      });
    });
  }

  for (const name of [defaultName, ...pinned]) find(name).ranker();
  return {
    defaultName,
    describe: () => [...models.values()].map((model) => model.inspect().model),
    faulty: () => [...faulty.keys()],
    inspect: (name) => find(name).inspect(),
    get: (name) => find(name).ranker(),
    use: (name, work) => find(name).use(work),

    async reload(name) {
      if (!models.has(name) && !(await isListed(name))) {
        faulty.delete(name);
        find(name);
      }
      return replacing(name, "reload", async () => {
        const folder = await readAgain(name);
        await refusedAs("model_rejected", async () => {
          const model = models.get(name) ?? openSwappable(folder, options.ranker);
          const endOld = await model.swap(folder);
          models.set(name, model);
          faulty.delete(name);
          await endOld();
        });
      });
    },

    async replaceWeights(name, upload) {
      const model = find(name);
      return replacing(name, "weights", async () => {
        const folder = await readAgain(name);
        const staging = await createStaging(folder);
        const endOld = await swapStaged(model, folder, staging, upload).catch(async (error) => {
          await removeStaging(staging);
          throw error;
        });
        // Only now: the old ranker may run from the folder.
        await endOld();
        await commitStaging(folder.directory, staging).catch(notKept);
      });
    },

    async close() {
      await Promise.all([...models.values()].map((model) => model.close()));
    },
  };

  async function swapStaged(
    model: Swappable,
    folder: ModelFolder,
    staging: string,
    upload: AsyncIterable<Uint8Array>,
  ): Promise<() => Promise<void>> {
    const staged = await receiveWeights(folder, staging, upload, weightsBytesMax);
    return refusedAs("weights_invalid", () => model.swap(staged, () => removeStaging(staging)));
  }
}

/** Reads a folder of the models folder; throws `model_invalid` where its model has another name. */
async function readNamedFolder(modelsDirectory: string, name: string): Promise<ModelFolder> {
  const folder = await readModelFolder(join(modelsDirectory, name));
  const absent = absentFiles(folder);
  if (absent.length > 0) {
    throw new AssayError("model_invalid", {
      detail: `The folder ${name} lacks ${absent.join(", ")}, which its manifest names`,
    });
  }
  if (folder.manifest.name === name) return folder;
  throw new AssayError("model_invalid", {
    detail: `The folder ${name} holds a model named ${folder.manifest.name}: rename one of them`,
  });
}

/** The one fault after the swap. */
function notKept(error: Error): never {
  throw new AssayError("model_read_only", {
    detail: `The new weights serve, but a restart serves the old ones: ${error.message}`,
    cause: error,
  });
}

/** A fault of the new model is one of the request, unlike that of a model that ought to serve. */
async function refusedAs<T>(code: "model_rejected" | "weights_invalid", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== "model_invalid") throw error;
    throw new AssayError(code, { detail: error.message, cause: error });
  }
}

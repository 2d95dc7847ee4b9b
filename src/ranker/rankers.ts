import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { AssayError, type ErrorCode, messageOf } from "../errors.js";
import { watchFolders } from "./folder-watch.js";
import { absentFiles, listModelFolders, type ModelFolder, readModelFolder } from "./model-folder.js";
import type { ModelDescription, Ranker, Rankers } from "./port.js";
import type { RankerOptions } from "./ranker.js";
import { commitStaging, createStaging, removeStaging, settleFolder } from "./staging.js";
import { openSwappable, type Swappable } from "./swap.js";
import { receiveWeights } from "./weights-upload.js";

/** The result of an attempt to replace a model, for the log and the metrics. */
export interface ReplacementFacts {
  /** `changed`: the service has noticed that another process changed the folder. */
  readonly kind: "reload" | "weights" | "changed";
  readonly outcome: "swapped" | "refused";
  /** The version that serves now; null if none does. */
  readonly version: string | null;
  readonly durationMs: number;
  /** Why it was refused. */
  readonly reason?: string;
}

export interface RankersOptions {
  readonly modelsDirectory: string;
  /** Null: there is none, and the models folder may be missing. */
  readonly defaultName: string | null;
  /** Models that are loaded at the start in addition to the default one. The others are loaded by their first request. */
  readonly pinned: readonly string[];
  /** Time between two looks at the folders for changes that other processes have made. */
  readonly watchMs?: number;
  /** Bytes of the largest `weights.bin` that is accepted. */
  readonly weightsBytesMax: number;
  readonly ranker: RankerOptions;
  /** Called after each attempt to replace a model; after a success, once the old ranker is gone. */
  readonly onReplacement: (model: string, facts: ReplacementFacts) => void;
  /** Called for each model folder that cannot be served. */
  readonly onFaulty: (model: string, reason: string) => void;
}

const WATCH_MS = 3000;
/** Codes with which a request may fail if the files of its ranker were replaced. */
const OF_FILES: ReadonlySet<ErrorCode> = new Set(["model_invalid", "model_not_ready"]);
/** A client that sends its request again after this time finds the new ranker, or waits for it. */
const REPLACED_RETRY_MS = 2000;

/**
 * Reads every model folder and starts the engines of the default model and of the pinned models. The other engines start with
 * their first request. A faulty folder affects only its own model. Throws `model_invalid` if the default model or a pinned model
 * is missing or faulty.
 */
export async function openRankers(options: RankersOptions): Promise<Rankers> {
  const { modelsDirectory, defaultName, pinned, weightsBytesMax, watchMs = WATCH_MS } = options;
  const started = defaultName === null ? pinned : [defaultName, ...pinned];
  const models = new Map<string, Swappable>();
  const busy = new Set<string>();
  const refreshing = new Map<string, Promise<void>>();
  const watch = watchFolders({
    modelsDirectory,
    intervalMs: watchMs,
    isLost: (name) => isLost(models.get(name)),
    onChange: refresh,
  });
  /** The faults of the folders that cannot be served, by name. A reload reads the folder again. */
  const faulty = new Map<string, AssayError>();
  const isNeeded = started.length > 0 || existsSync(modelsDirectory);
  for (const name of isNeeded ? await listAtStart(modelsDirectory) : []) {
    try {
      await settleFolder(join(modelsDirectory, name));
      watch.take(name, await watch.look(name));
      models.set(name, openSwappable(await readNamedFolder(modelsDirectory, name), options.ranker));
    } catch (error) {
      if (!(error instanceof AssayError) || error.code !== "model_invalid") throw error;
      faulty.set(name, error);
      options.onFaulty(name, error.message);
    }
  }
  for (const name of started) {
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
        detail: `The folder of model ${name} has a fault: see the log, repair the folder, then reload the model`,
      });
    }
    throw new AssayError("model_not_found", {
      detail: `No model is named ${JSON.stringify(name)}; there are: ${[...models.keys()].join(", ")}`,
    });
  }

  /** Runs a replacement, at most one for each model at a time, and reports its result. */
  async function replacing(
    name: string,
    kind: ReplacementFacts["kind"],
    work: () => Promise<void>,
  ): Promise<ModelDescription> {
    if (busy.has(name)) {
      throw new AssayError("model_busy", {
        detail: `Model ${name} is being replaced: send the request again when that is done`,
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
      tell("refused", messageOf(error));
      throw error;
    } finally {
      busy.delete(name);
    }
  }

  /** Loads what another process has put into the folder. If that has a fault, the present ranker continues to serve. */
  function refresh(name: string): Promise<void> {
    const going = refreshing.get(name) ?? takeUp(name).finally(() => refreshing.delete(name));
    refreshing.set(name, going);
    return going;
  }

  async function takeUp(name: string): Promise<void> {
    const model = models.get(name);
    if (model === undefined || busy.has(name)) return;
    const folder = await readAgain(name).catch((error: Error) => error);
    const isKnown = !(folder instanceof Error) && isDeepStrictEqual(folder.manifest, model.folder().manifest);
    if (isKnown && !isLost(model)) return;
    await replacing(name, "changed", async () => {
      if (folder instanceof Error) throw folder;
      if (model.prepare(folder)) return;
      const endOld = await model.swap(folder);
      await endOld();
    }).catch(() => undefined); // no request waits for it; `onReplacement` has logged the error
  }

  /** Whether a run failed because its ranker's files were replaced or are being replaced. */
  async function isReplaced(name: string, model: Swappable, used: Ranker): Promise<boolean> {
    if (busy.has(name) || model.ranker() !== used) return true;
    if (await watch.changed(name)) void refresh(name);
    return refreshing.has(name);
  }

  /** Whether the models folder has a model of this name. Check this before a name from a request becomes a path. */
  async function isListed(name: string): Promise<boolean> {
    return (await listModelFolders(modelsDirectory)).includes(name);
  }

  function readAgain(name: string): Promise<ModelFolder> {
    return refusedAs("model_rejected", async () => {
      if (await isListed(name)) return readNamedFolder(modelsDirectory, name);
      throw new AssayError("model_invalid", {
        detail: `The folder of model ${name} no longer has a model.json`,
      });
    });
  }

  for (const name of started) find(name).ranker();
  return {
    defaultName,
    describe: () => [...models.values()].map((model) => model.inspect().model),
    faulty: () => [...faulty.keys()],
    inspect: (name) => find(name).inspect(),
    manifest: (name) => find(name).folder().manifest,
    memoryBytes: async (name) => find(name).memoryBytes(),
    get: (name) => find(name).ranker(),

    async use(name, work) {
      const model = find(name);
      return model.use(async (ranker) => {
        try {
          return await work(ranker);
        } catch (error) {
          if (!(error instanceof AssayError) || !OF_FILES.has(error.code)) throw error;
          if (!(await isReplaced(name, model, ranker))) throw error;
          throw new AssayError("model_not_ready", {
            detail: `The files of model ${name} were replaced while the request ran, and the new files are being loaded: send the request again`,
            retryAfterMs: REPLACED_RETRY_MS,
            cause: error,
          });
        }
      });
    },

    async reload(name) {
      await refreshing.get(name);
      if (!models.has(name) && !(await isListed(name))) {
        faulty.delete(name);
        find(name);
      }
      return replacing(name, "reload", async () => {
        watch.take(name, await watch.look(name));
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
      await refreshing.get(name);
      const model = find(name);
      return replacing(name, "weights", async () => {
        const folder = await readAgain(name);
        const staging = await createStaging(folder);
        const endOld = await swapStaged(model, folder, staging, upload).catch(async (error) => {
          await removeStaging(staging);
          throw error;
        });
        // Only now, because the old ranker may have run from the folder.
        await endOld();
        await commitStaging(folder.directory, staging).catch(notKept);
        watch.take(name, await watch.look(name));
      });
    },

    async close() {
      watch.close();
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

/** Whether the model's folder is gone. Another machine that starts may have removed a staging folder that looked abandoned. */
function isLost(model: Swappable | undefined): boolean {
  return model !== undefined && !existsSync(model.folder().directory);
}

/**
 * Lists the model folders. Its error names the models folder's path, because only the operator who starts the service sees it.
 */
async function listAtStart(modelsDirectory: string): Promise<string[]> {
  try {
    return await listModelFolders(modelsDirectory);
  } catch (cause) {
    throw new AssayError("model_invalid", {
      detail: `${messageOf(cause)} (${modelsDirectory})`,
      cause,
    });
  }
}

/** Reads one of the model folders. Throws `model_invalid` if it has a fault or lacks a file. */
async function readNamedFolder(modelsDirectory: string, name: string): Promise<ModelFolder> {
  const folder = await readModelFolder(join(modelsDirectory, name));
  const absent = absentFiles(folder);
  if (absent.length === 0) return folder;
  throw new AssayError("model_invalid", {
    detail: `The folder ${name} lacks ${absent.join(", ")}, which its manifest names`,
  });
}

/** The only error that can follow the swap: the new weights already serve, but are not in the folder. */
function notKept(error: Error): never {
  throw new AssayError("model_read_only", {
    detail: `The new weights are served, but a restart would serve the old ones: ${error.message}`,
    cause: error,
  });
}

/** Turns `model_invalid` into `code`, because a fault of a new model is a fault of the request that brought it. */
async function refusedAs<T>(code: "model_rejected" | "weights_invalid", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== "model_invalid") throw error;
    throw new AssayError(code, { detail: error.message, cause: error });
  }
}

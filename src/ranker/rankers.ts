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

/** How an attempt to replace a model ended, for the log and the metrics. */
export interface ReplacementFacts {
  /** `changed`: somebody else has changed the folder, and the service has noticed. */
  readonly kind: "reload" | "weights" | "changed";
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
  /** Time between two looks at the folders, for changes that somebody else makes. */
  readonly watchMs?: number;
  /** Bytes of the largest `weights.bin` that is taken. */
  readonly weightsBytesMax: number;
  readonly ranker: RankerOptions;
  /** Called after each attempt to replace a model, once the old one is gone. */
  readonly onReplacement: (model: string, facts: ReplacementFacts) => void;
  /** A folder of the models folder cannot be served. */
  readonly onFaulty: (model: string, reason: string) => void;
}

const WATCH_MS = 3000;
/** What a request fails with where a ranker finds other files than it was opened with. */
const OF_FILES: ReadonlySet<ErrorCode> = new Set(["model_invalid", "model_not_ready"]);
/** A client that comes back then finds the new ranker, or waits for it. */
const REPLACED_RETRY_MS = 2000;

/**
 * Reads every model folder and starts the engines of the default model and the pinned ones; the others start when they are
 * first asked for. A faulty folder costs only its own model. Throws `model_invalid` when the default model or a pinned one is
 * missing or faulty.
 */
export async function openRankers(options: RankersOptions): Promise<Rankers> {
  const { modelsDirectory, defaultName, pinned, weightsBytesMax, watchMs = WATCH_MS } = options;
  const models = new Map<string, Swappable>();
  const busy = new Set<string>();
  const refreshing = new Map<string, Promise<void>>();
  const watch = watchFolders({
    modelsDirectory,
    intervalMs: watchMs,
    isLost: (name) => isLost(models.get(name)),
    onChange: refresh,
  });
  /** Why the folder of a name is none that can be served; a reload reads it again. */
  const faulty = new Map<string, AssayError>();
  for (const name of await listAtStart(modelsDirectory)) {
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
      tell("refused", messageOf(error));
      throw error;
    } finally {
      busy.delete(name);
    }
  }

  /** Takes up what somebody else has put into the folder; what serves serves on where that has a fault. */
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
    }).catch(() => undefined); // nobody asked for it: the log tells, by onReplacement
  }

  /** Whether a run failed because its ranker's files are being replaced, or were. */
  async function isReplaced(name: string, model: Swappable, used: Ranker): Promise<boolean> {
    if (busy.has(name) || model.ranker() !== used) return true;
    if (await watch.changed(name)) void refresh(name);
    return refreshing.has(name);
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

    async use(name, work) {
      const model = find(name);
      return model.use(async (ranker) => {
        try {
          return await work(ranker);
        } catch (error) {
          if (!(error instanceof AssayError) || !OF_FILES.has(error.code)) throw error;
          if (!(await isReplaced(name, model, ranker))) throw error;
          throw new AssayError("model_not_ready", {
            detail: `The files of model ${name} were replaced while it ran, and the new ones are being loaded: send the request again`,
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
        // Only now: the old ranker may run from the folder.
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

/** The folder that an upload was staged in may be gone: a start on another machine takes it for abandoned one day. */
function isLost(model: Swappable | undefined): boolean {
  return model !== undefined && !existsSync(model.folder().directory);
}

/** Only the operator who starts the service is told where the models folder lies. */
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

/** Reads a folder of the models folder; throws `model_invalid` where it lacks a file. */
async function readNamedFolder(modelsDirectory: string, name: string): Promise<ModelFolder> {
  const folder = await readModelFolder(join(modelsDirectory, name));
  const absent = absentFiles(folder);
  if (absent.length === 0) return folder;
  throw new AssayError("model_invalid", {
    detail: `The folder ${name} lacks ${absent.join(", ")}, which its manifest names`,
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

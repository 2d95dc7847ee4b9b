import { join } from "node:path";
import { AssayError } from "../errors.js";
import { describeModel, listModelFolders, readModelFolder } from "./model-folder.js";
import type { Ranker, Rankers } from "./port.js";
import { openRanker, type RankerOptions } from "./ranker.js";

/**
 * Reads every model folder of `modelsDirectory` and starts the default model's engine; the others start when they are first
 * asked for. Throws `model_invalid` when the default model is missing or a manifest is faulty.
 */
export async function openRankers(
  modelsDirectory: string,
  defaultName: string,
  options: RankerOptions,
): Promise<Rankers> {
  const folders = new Map(
    await Promise.all(
      (await listModelFolders(modelsDirectory)).map(
        async (name) => [name, await readModelFolder(join(modelsDirectory, name))] as const,
      ),
    ),
  );
  if (!folders.has(defaultName)) {
    const known = [...folders.keys()].join(", ") || "none";
    throw new AssayError("model_invalid", {
      detail: `No model folder ${defaultName} in ${modelsDirectory} (folders with a model.json: ${known})`,
    });
  }
  for (const [name, { manifest }] of folders) {
    if (manifest.name !== name) {
      throw new AssayError("model_invalid", {
        detail: `The folder ${name} holds a model named ${manifest.name}: rename one of them`,
      });
    }
  }
  const descriptions = [...folders.values()].map((folder) => describeModel(folder, options.precision));
  const opened = new Map<string, Ranker>();

  function get(name: string): Ranker {
    const folder = folders.get(name);
    if (folder === undefined) {
      throw new AssayError("model_not_found", {
        detail: `No model is named ${JSON.stringify(name)}; there are: ${[...folders.keys()].join(", ")}`,
      });
    }
    let ranker = opened.get(name);
    if (ranker === undefined) {
      ranker = openRanker(folder, options);
      opened.set(name, ranker);
    }
    return ranker;
  }

  get(defaultName);
  return {
    defaultName,
    describe: () => descriptions,
    get,
    async close() {
      await Promise.all([...opened.values()].map((ranker) => ranker.close()));
    },
  };
}

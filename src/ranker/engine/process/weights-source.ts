import { AssayError } from "../../../errors.js";
import type { Graph } from "../../graphs.js";
import type { ModelFolder } from "../../model-folder.js";
import { fileFault } from "../../thrown.js";
import type { Device } from "../protocol.js";
import { hasScales, packsWeights } from "../session/packs-weights.js";
import { multiplyOut } from "./multiply-out.js";
import { makeScratch, type Scratch } from "./scratch.js";

/** Where the sessions of a process read graphs and weights. */
export interface WeightsSource {
  /** The directory with the file of a graph and its weights. */
  directoryOf(graph: Graph): Promise<string>;
}

export interface WeightsSourceObservers {
  /** Called with the path of a temporary directory, before anything is in it. */
  readonly onScratch: (directory: string) => void;
  /** Called with the reason if sessions multiply the weights out for themselves, because they cannot share them. */
  readonly onUnshared: (reason: string) => void;
}

/**
 * The folder itself, unless its weights have scales, the device is the CPU, and the graph's sessions map their weights. The first
 * such graph makes a temporary directory with the weights multiplied out, which takes half a second with the shipped model. If
 * that cannot be written, the folder serves, each session takes more memory, and the next session to be opened tries again.
 */
export function createWeightsSource(
  folder: ModelFolder,
  device: Device,
  { onScratch, onUnshared }: WeightsSourceObservers,
): WeightsSource {
  const { directory, manifest } = folder;
  const multiplies = device.kind === "cpu" && hasScales(manifest);
  let shared: Promise<string> | null = null;

  async function share(): Promise<string> {
    let scratch: Scratch | null = null;
    try {
      scratch = await makeScratch();
      onScratch(scratch.directory);
      await multiplyOut(folder, scratch.directory);
      return scratch.directory;
    } catch (error) {
      shared = null;
      await scratch?.remove();
      // If the folder has the fault, the session that is opened from it says so.
      if (!(error instanceof AssayError)) onUnshared(fileFault(error));
      return directory;
    }
  }

  return {
    async directoryOf(graph) {
      if (!multiplies || packsWeights(graph, manifest)) return directory;
      shared ??= share();
      return shared;
    },
  };
}

import type { ModelFolder } from "../../model-folder.js";
import { fileFault } from "../../thrown.js";
import type { Device } from "../protocol.js";
import { folderSource, hasScales, type WeightsSource } from "../session/packs-weights.js";
import { multiplyOut } from "./multiply-out.js";
import { makeScratch, type Scratch } from "./scratch.js";

/** Where the sessions of a process read their weights. */
export interface ChosenSource {
  readonly source: WeightsSource;
  /** Why each session multiplies the weights out for itself; null if the sessions share them. */
  readonly unshared: string | null;
}

/** Calls `onScratch` with the path of a temporary directory, before anything is in it. */
export type OnScratch = (directory: string) => void;

/**
 * The folder itself, unless its weights have scales and the device is the CPU. Then a temporary directory gets the weights
 * multiplied out. If that cannot be written, the folder serves, and each session takes more memory.
 */
export async function chooseSource(
  folder: ModelFolder,
  device: Device,
  onScratch: OnScratch,
): Promise<ChosenSource> {
  const own = folderSource(folder.directory, folder.manifest);
  if (device.kind !== "cpu" || !hasScales(folder.manifest)) return { source: own, unshared: null };
  let scratch: Scratch | null = null;
  try {
    scratch = await makeScratch();
    onScratch(scratch.directory);
    return { source: await multiplyOut(folder, scratch.directory), unshared: null };
  } catch (error) {
    await scratch?.remove();
    return { source: own, unshared: fileFault(error) };
  }
}

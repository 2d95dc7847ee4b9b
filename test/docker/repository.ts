import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readStages, type Stage } from "./dockerfile.js";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** A Dockerfile of the repository. */
export interface ImageFile {
  readonly path: string;
  readonly stages: readonly Stage[];
  /** The stage that becomes the image. */
  readonly image: Stage;
}

export const CPU = imageFile("docker/Dockerfile");
export const CUDA = imageFile("docker/Dockerfile.cuda");

function imageFile(path: string): ImageFile {
  const stages = readStages(readText(path));
  return { path, stages, image: stages.at(-1) as Stage };
}

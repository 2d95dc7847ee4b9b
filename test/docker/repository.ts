import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readStages, type Stage } from "./dockerfile.js";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export const STAGES: readonly Stage[] = readStages(readText("docker/Dockerfile"));

/** The stage that becomes the image. */
export const IMAGE = STAGES.at(-1) as Stage;

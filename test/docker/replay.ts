import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, statSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { expect } from "vitest";
import { copiesOf, type Instruction, type Stage } from "./dockerfile.js";
import { type ImageFile, ROOT } from "./repository.js";

/**
 * Stands in for a build where no Docker engine runs: each stage is a folder, COPY and RUN happen in it with the programs of
 * this machine and `environment` beside its own. Answers the folder that stands for the image's root. Not replayed: the base
 * images, the user and the volume.
 */
export function replay(
  { stages, image }: ImageFile,
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): string {
  for (const stage of stages) replayStage(stage, folder, environment);
  return join(folder, image.name);
}

function replayStage(stage: Stage, folder: string, environment: Readonly<Record<string, string>>): void {
  const root = join(folder, stage.name);
  const app = join(root, "app");
  mkdirSync(app, { recursive: true });
  const copies = copiesOf(stage).values();
  for (const instruction of stage.instructions) {
    if (instruction.name === "RUN") run(instruction, app, environment);
    if (instruction.name !== "COPY") continue;
    const { from, sources, target } = copies.next().value as ReturnType<typeof copiesOf>[number];
    for (const source of sources) {
      const path = from === undefined ? join(ROOT, source) : join(folder, from, source);
      // As Docker does: a folder's content goes to the target, a file into a target that ends in a slash.
      const into = statSync(path).isFile() && target.endsWith("/") ? join(target, basename(path)) : target;
      cpSync(path, isAbsolute(into) ? join(root, into) : join(app, into), { recursive: true });
    }
  }
}

/** Runs npm, node and pip; the one step for the image's user needs that user. */
function run({ rest }: Instruction, app: string, environment: Readonly<Record<string, string>>): void {
  if (/^install -d -o node /.test(rest)) return;
  expect(rest).toMatch(/^(npm|node|pip) /);
  const { NODE_ENV: _, ...own } = process.env;
  const env = { ...own, npm_config_prefer_offline: "true", ...environment };
  execFileSync("/bin/sh", ["-ec", rest], { cwd: app, env, stdio: ["ignore", "ignore", "inherit"] });
}

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { startService } from "../support/service.js";
import { copiesOf, type Instruction, type Stage } from "./dockerfile.js";
import { IMAGE, ROOT, STAGES } from "./repository.js";

/**
 * Stands in for a build where no Docker engine runs: each stage is a folder, COPY and RUN happen in it with the Node of this
 * test. Not replayed: the base image, the user and the volume.
 */
describe.runIf(process.env.CI === "true")("the steps of docker/Dockerfile, replayed in empty folders", () => {
  it("make a service that scores, with ONNX Runtime for one platform", { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    for (const stage of STAGES) replay(stage, folder);
    const app = appOf(folder, IMAGE.name);

    const libraries = join(app, "node_modules/onnxruntime-node/bin");
    const platforms = readdirSync(libraries).flatMap((api) =>
      readdirSync(join(libraries, api, process.platform)),
    );
    expect(platforms).toEqual([process.arch]);
    expect(readdirSync(join(app, "node_modules"))).not.toContain("typescript");

    const service = await startService({ cli: join(app, "dist/cli.js") });
    const probe = ["/healthz", "/readyz", "/v1/datasets/none"].map(
      (path) =>
        spawnSync(process.execPath, [join(app, "docker/probe.mjs"), path], {
          env: { ...process.env, ASSAY_PORT: new URL(service.url).port },
        }).status,
    );
    expect(probe).toEqual([0, 0, 1]);

    const answer = await fetch(`${service.url}/v1/score`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ samples: [{ query: "usb c cable", document: "USB-C cable, 2 m", label: 1 }] }),
    });
    expect(answer.status).toBe(200);
    expect(await service.stop()).toBe(0);
  });
});

function appOf(folder: string, stage: string): string {
  return join(folder, stage, "app");
}

function replay(stage: Stage, folder: string): void {
  const app = appOf(folder, stage.name);
  mkdirSync(app, { recursive: true });
  const copies = copiesOf(stage).values();
  for (const instruction of stage.instructions) {
    if (instruction.name === "RUN") run(instruction, app);
    if (instruction.name !== "COPY") continue;
    const { from, sources, target } = copies.next().value as ReturnType<typeof copiesOf>[number];
    for (const source of sources) {
      const path = from === undefined ? join(ROOT, source) : join(folder, from, source);
      // As Docker does: a folder's content goes to the target, a file into a target that ends in a slash.
      const into = statSync(path).isFile() && target.endsWith("/") ? join(target, basename(path)) : target;
      cpSync(path, join(app, into), { recursive: true });
    }
  }
}

/** Runs npm and node; the one step for the image's user needs that user. */
function run({ rest }: Instruction, app: string): void {
  if (/^install -d -o node /.test(rest)) return;
  expect(rest).toMatch(/^(npm|node) /);
  const { NODE_ENV: _, ...environment } = process.env;
  const env = { ...environment, npm_config_prefer_offline: "true" };
  execFileSync("/bin/sh", ["-ec", rest], { cwd: app, env, stdio: ["ignore", "ignore", "inherit"] });
}

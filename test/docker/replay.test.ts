import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { startService } from "../support/service.js";
import { replay } from "./replay.js";
import { CPU, CUDA } from "./repository.js";

describe.runIf(process.env.CI === "true")("the steps of docker/Dockerfile, replayed in empty folders", () => {
  it("make a service that scores, with ONNX Runtime for one platform", { timeout: 600_000 }, async () => {
    const app = join(replay(CPU, temporaryFolder()), "app");

    const libraries = join(app, "node_modules/onnxruntime-node/bin");
    const platforms = readdirSync(libraries).flatMap((api) =>
      readdirSync(join(libraries, api, process.platform)),
    );
    expect(platforms).toEqual([process.arch]);
    expect(readdirSync(join(app, "node_modules"))).not.toContain("typescript");

    await scoresOneSample(app);
  });
});

/** Opt-in: it fetches 1.2 GB. The libraries of the image are found and complete; only the driver, the host's, is missing. */
describe.runIf(process.env.REPLAY_CUDA === "1")("the steps of docker/Dockerfile.cuda, replayed", () => {
  it("make a service that scores, and a CUDA provider that lacks only the driver", {
    timeout: 1_200_000,
  }, async () => {
    // The stage's Python and platform, whichever this machine has.
    const root = replay(CUDA, temporaryFolder(), {
      PIP_ONLY_BINARY: ":all:",
      PIP_PYTHON_VERSION: "3.12",
      PIP_PLATFORM: "manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux2014_x86_64 manylinux_2_12_x86_64",
    });
    const app = join(root, "app");
    const env = { ...process.env, LD_LIBRARY_PATH: join(root, "opt/cuda/lib") };

    const libraries = join(app, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
    expect(missingLibraries(join(libraries, "libonnxruntime_providers_cuda.so"), env)).toEqual([
      "libcuda.so.1",
    ]);
    // Loaded by name once a graph asks for them, so that no list of needed libraries has them.
    for (const name of ["libcudnn.so.9", "libnvrtc.so.13"]) {
      expect(missingLibraries(join(root, "opt/cuda/lib", name), env), name).toEqual([]);
    }

    const open = `require("onnxruntime-node").InferenceSession.create("models/default/forward.onnx", { executionProviders: ["cuda"] })`;
    const opened = spawnSync(process.execPath, ["-e", open], { cwd: app, env, encoding: "utf8" });
    expect(opened.status).toBe(1);
    expect(opened.stderr).toContain("libonnxruntime_providers_cuda.so with error: libcuda.so.1: cannot open");

    await scoresOneSample(app);
  });
});

/** Starts the service of a replayed image, probes it and scores one sample on the CPU. */
async function scoresOneSample(app: string): Promise<void> {
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
}

/** The libraries that a library needs, directly or not, and the loader does not find. */
function missingLibraries(library: string, env: NodeJS.ProcessEnv): string[] {
  const { stdout, status } = spawnSync("ldd", [library], { env, encoding: "utf8" });
  expect(status).toBe(0);
  return [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name as string);
}

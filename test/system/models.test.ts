import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { enginePids, LONG, memoryMib, metric, newSamples, score, until } from "../support/load.js";
import { copiesOfShipped, describeBytes, editManifest, shiftedWeights, uploadOf } from "../support/model.js";
import type { Json } from "../support/post.js";
import { type Service, startService } from "../support/service.js";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env.TEST_PYTHON ?? join(ROOT, ".venv", "bin", "python");
const HAS_TORCH = spawnSync(PYTHON, ["-c", "import torch, assay.export.upload"]).status === 0;

const SAMPLE = { query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 };

interface Answer {
  readonly status: number;
  readonly body: Json;
}

async function reload({ url }: Service): Promise<Answer> {
  const response = await fetch(`${url}/v1/models/default/reload`, { method: "POST" });
  return { status: response.status, body: await response.json() };
}

async function putWeights({ url }: Service, upload: Buffer): Promise<Answer> {
  const headers = { "content-type": "application/vnd.assay.weights" };
  const body = new Uint8Array(upload);
  const response = await fetch(`${url}/v1/models/default/weights`, { method: "PUT", headers, body });
  return { status: response.status, body: await response.json() };
}

async function post({ url }: Service, request: object): Promise<Answer & { retryAfter: string | null }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/v1/score`, { method: "POST", headers, body: JSON.stringify(request) });
  return {
    status: response.status,
    body: await response.json(),
    retryAfter: response.headers.get("retry-after"),
  };
}

/** Scores new texts from several clients until it is told to stop; answers every status with its count. */
function startLoad(service: Service, clients = 4): { stop(): Promise<Record<number, number>> } {
  const statuses: Record<number, number> = {};
  let stopping = false;
  const running = Array.from({ length: clients }, async (_, client) => {
    while (!stopping) {
      const { status } = await score(service, newSamples(client % 2 ? 1 : 16));
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  });
  return {
    async stop() {
      stopping = true;
      await Promise.all(running);
      return statuses;
    },
  };
}

describe("a service whose model is replaced", () => {
  it("fails no request of many while new weights come in, names the version that ran each, and keeps the last", async () => {
    const models = copiesOfShipped("default");
    const dataDir = temporaryFolder();
    const env = { ASSAY_MODELS_DIR: models };
    const service = await startService({ env, dataDir });
    const before = (await score(service, [SAMPLE])).body;
    const logits = new Map<string, number>([[before.model.version, before.results[0].logit]]);
    const load = startLoad(service);

    for (const shift of [0.5, 0.25]) {
      const expected = [...logits.values()].at(-1) as number;
      const { status, body } = await putWeights(
        service,
        uploadOf(shiftedWeights(join(models, "default"), shift)),
      );
      expect([status, body.status]).toEqual([200, "ready"]);
      logits.set(body.version, expected + shift);
      const after = (await score(service, [SAMPLE])).body;
      expect(after.model.version).toBe(body.version);
      expect(after.results[0]).toMatchObject({ cached: false });
      expect(after.results[0].logit).toBeCloseTo(expected + shift, 4);
    }
    expect(Object.keys(await load.stop())).toEqual(["200"]);
    expect(logits.size).toBe(3);
    expect(enginePids(service)).toHaveLength(1);
    expect(await metric(service, 'assay_model_reloads_total{model="default",outcome="swapped"}')).toBe(2);
    expect(service.output().match(/"msg":"model replaced"/g)).toHaveLength(2);
    expect(await service.stop()).toBe(0);
    expect(readdirSync(join(models, "default")).filter((name) => name.startsWith("."))).toEqual([]);

    const restarted = await startService({ env, dataDir });
    const again = (await score(restarted, [SAMPLE])).body;
    expect(again.model.version).toBe([...logits.keys()].at(-1));
    expect(again.results[0]).toMatchObject({ cached: true });
  });

  it("answers a refusal while the rest of a large body is still on its way, and serves on", async () => {
    const models = copiesOfShipped("default");
    const service = await startService({ env: { ASSAY_MODELS_DIR: models } });
    const parts = shiftedWeights(join(models, "default"), 1);
    const header = { ...parts.header, parameters: parts.header.parameters.slice(1) };
    const { status, body } = await putWeights(
      service,
      uploadOf({ header, weights: Buffer.alloc(64 * 2 ** 20) }),
    );
    expect([status, body.code]).toEqual([422, "weights_invalid"]);
    expect(body.faults[0].message).toMatch(/lacks bert\.embeddings/);
    expect((await score(service, [SAMPLE])).status).toBe(200);
    expect(await metric(service, 'assay_model_reloads_total{model="default",outcome="refused"}')).toBe(1);
  });

  it("whose models folder another service is given new weights for takes them too, and fails no request but with come back", async () => {
    const models = copiesOfShipped("default");
    const env = { ASSAY_MODELS_DIR: models };
    const [first, second] = await Promise.all([startService({ env }), startService({ env })]);
    const old = (await score(second, [SAMPLE])).body;
    const { body } = await putWeights(first, uploadOf(shiftedWeights(join(models, "default"), 0.5)));
    // Of a graph that is not open yet: its file's weights are the new ones already.
    const gradients = { samples: [SAMPLE], signals: ["grad_norm"] };
    const early = await post(second, gradients);
    const swappedAlready = early.body.model?.version === body.version;
    if (!swappedAlready) {
      expect([early.status, early.body.code]).toEqual([503, "model_not_ready"]);
      expect(early.retryAfter).toMatch(/^[1-9]/);
    }
    await until(
      async () => (await score(second, [SAMPLE])).body.model.version === body.version,
      "it takes them",
    );
    expect((await score(second, [SAMPLE])).body.results[0].logit).toBeCloseTo(old.results[0].logit + 0.5, 4);
    expect((await post(second, gradients)).status).toBe(200);
    expect(await metric(second, 'assay_model_reloads_total{model="default",outcome="swapped"}')).toBe(1);
    expect(await metric(first, 'assay_model_reloads_total{model="default",outcome="swapped"}')).toBe(1);
    expect(second.output()).toMatch(/"kind":"changed".*"msg":"model replaced"/);
  });

  it("answers a reload of a broken folder without a path, which the log has", async () => {
    const models = copiesOfShipped("default");
    const service = await startService({ env: { ASSAY_MODELS_DIR: models } });
    const folder = join(models, "default");
    const graph = Buffer.from("no graph");
    renameSync(join(folder, "forward.onnx"), join(folder, "old.onnx"));
    writeFileSync(join(folder, "forward.onnx"), graph);
    editManifest(folder, (manifest) => ({
      ...manifest,
      files: { ...manifest.files, "forward.onnx": describeBytes(graph) },
    }));
    const { status, body } = await reload(service);
    expect([status, body.code]).toEqual([409, "model_rejected"]);
    expect(body.detail).toContain("forward.onnx");
    expect(JSON.stringify(body)).not.toContain(models);
    expect(JSON.stringify(body)).not.toContain("try again");
    expect(service.output()).toMatch(new RegExp(`${folder}/forward.onnx.*"msg":"engine fault"`));
    expect((await score(service, [SAMPLE])).status).toBe(200);
  });

  // The full size is reload 20 against reload 50; the small one proves that a leak of one model would show.
  const [settledAfter, reloads] = LONG ? [20, 50] : [3, 6];
  it(`needs the same memory after reload ${settledAfter} and after reload ${reloads} under load, and fails no request`, async () => {
    const service = await startService({ env: { ASSAY_MODELS_DIR: copiesOfShipped("default") } });
    const [before] = enginePids(service);
    const memory: number[] = [];
    const statuses: Record<number, number> = {};
    for (let reloaded = 1; reloaded <= reloads; reloaded++) {
      const load = startLoad(service);
      const { status } = await reload(service);
      expect(status).toBe(200);
      for (const [code, count] of Object.entries(await load.stop())) {
        statuses[Number(code)] = (statuses[Number(code)] ?? 0) + count;
      }
      expect(enginePids(service)).toHaveLength(1);
      if (reloaded >= settledAfter) {
        await delay(500);
        memory.push(memoryMib(service));
      }
    }
    expect(Object.keys(statuses)).toEqual(["200"]);
    expect(existsSync(`/proc/${before}`)).toBe(false);
    console.log(
      `reloads ${settledAfter} to ${reloads}: ${memory.map((mib) => mib.toFixed(0)).join(" ")} MiB, ${statuses[200]} requests`,
    );
    const first = memory[0] as number;
    expect(Math.abs((memory.at(-1) as number) - first) / first).toBeLessThan(0.1);
  });
});

describe("python -m assay.export weights", () => {
  it("finds torch in CI", ({ skip }) => {
    skip(process.env.CI !== "true", "torch is needed in CI alone");
    expect(HAS_TORCH, `${PYTHON} cannot import torch`).toBe(true);
  });

  it.skipIf(!HAS_TORCH)(
    "brings a model that was trained further into a running service, whose logits are then PyTorch's",
    async () => {
      const folder = temporaryFolder();
      const fixture = join(ROOT, "python", "tests", "support", "trained_further.py");
      await run(PYTHON, [fixture, folder]);
      const models = join(folder, "models");
      const env = { ASSAY_MODELS_DIR: models, ASSAY_DEFAULT_MODEL: "tiny" };
      const service = await startService({ env });
      const expected: { before: number[]; after: number[]; samples: object[] } = JSON.parse(
        readFileSync(join(folder, "expected.json"), "utf8"),
      );
      const logits = async (): Promise<number[]> =>
        (await score(service, expected.samples)).body.results.map(({ logit }: { logit: number }) => logit);
      for (const [index, logit] of (await logits()).entries())
        expect(logit).toBeCloseTo(expected.before[index] as number, 4);

      const upload = join(folder, "new.weights");
      const words = [
        "-m",
        "assay.export",
        "weights",
        join(folder, "trained"),
        join(models, "tiny"),
        "-o",
        upload,
      ];
      await run(PYTHON, words);
      // As docs/models.md has it.
      const { stdout } = await run("curl", [
        ...["-sS", "-X", "PUT", "-H", "content-type: application/vnd.assay.weights", "-T", upload],
        `${service.url}/v1/models/tiny/weights`,
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ name: "tiny", status: "ready" });
      for (const [index, logit] of (await logits()).entries())
        expect(Math.abs(logit - (expected.after[index] as number))).toBeLessThan(1e-4);
      expect(expected.after).not.toEqual(expected.before);
    },
  );
});

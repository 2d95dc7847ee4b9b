import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { enginePids, newSamples } from "../support/load.js";
import { copiesOfShipped, shiftedWeights, uploadOf } from "../support/model.js";
import { type Json, post } from "../support/post.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { type Service, startService } from "../support/service.js";

const PAIR = { query: "usb c cable", document: "USB-C charging cable, 2 m", label: 0 };

async function put({ url }: Service, name: string, body: object): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${url}/v1/directions/${name}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function read({ url }: Service, name: string): Promise<Json> {
  return (await fetch(`${url}/v1/directions/${name}`)).json();
}

interface Stream {
  /** The first of the answer: some gradients are in the sums. */
  readonly begun: Promise<IncomingMessage>;
  hangUp(): void;
}

/** A client whose lines never end, but with the connection. */
function startStream({ url }: Service, name: string): Stream {
  const request = httpRequest(`${url}/v1/directions/${name}?kind=loss_gradient`, {
    method: "PUT",
    headers: { "content-type": "application/x-ndjson" },
  });
  const writing = setInterval(() => {
    if (request.writableNeedDrain) return;
    const lines = newSamples(128).map(({ id, label }) => `${JSON.stringify({ text: id, label })}\n`);
    request.write(lines.join(""));
  }, 10);
  request.once("close", () => clearInterval(writing));
  request.on("error", () => clearInterval(writing));
  onTestFinished(() => void request.destroy());
  return {
    begun: once(request, "response").then(([response]) => response as IncomingMessage),
    hangUp: () => void request.destroy(),
  };
}

/** Where a direction is one sample's gradient g, that sample's influence is ‖g‖² and its alignment 1. */
async function expectOwnGradient(service: Service): Promise<void> {
  const signals = ["grad_norm", "influence", "alignment"];
  const scored = (direction: string) =>
    post(service, "/v1/score", { signals, direction, weighting: null, samples: [PAIR] });
  const [{ grad_norm, influence }] = (await scored("gradient")).body.results;
  expect(influence / grad_norm ** 2).toBeCloseTo(1, 5);
  const [{ alignment, influence: along }] = (await scored("unit")).body.results;
  expect(alignment).toBeCloseTo(1, 5);
  expect(along / grad_norm).toBeCloseTo(1, 5);
}

async function makeOwnGradient(service: Service): Promise<void> {
  const gradient = await put(service, "gradient", { kind: "loss_gradient", samples: [PAIR] });
  expect(gradient).toMatchObject({ status: 200, body: { samples: 1, stale: false } });
  const unit = await put(service, "unit", { kind: "mean_direction", samples: [PAIR, PAIR] });
  expect(unit.body.coherence).toBeCloseTo(1, 5);
}

describe("directions of the shipped model", () => {
  it("outlive a restart, and are refused once the weights are others", async () => {
    const dataDir = temporaryFolder();
    const models = copiesOfShipped("default");
    const env = { ASSAY_MODELS_DIR: models };
    const first = await startService({ dataDir, env });
    await makeOwnGradient(first);
    expect(await first.stop()).toBe(0);

    const service = await startService({ dataDir, env });
    await expectOwnGradient(service);
    const { model, bytes } = await read(service, "unit");
    expect(bytes).toBeGreaterThan(90_000_000);
    const upload = await fetch(`${service.url}/v1/models/default/weights`, {
      method: "PUT",
      headers: { "content-type": "application/vnd.assay.weights" },
      body: new Uint8Array(uploadOf(shiftedWeights(join(models, "default"), 0.5))),
    });
    const { version }: Json = await upload.json();
    expect(await read(service, "unit")).toMatchObject({ stale: true, model });
    const refused = await post(service, "/v1/score", {
      signals: ["alignment"],
      direction: "unit",
      samples: [PAIR],
    });
    expect(refused).toMatchObject({ status: 409, body: { code: "direction_stale" } });
    expect(refused.body.detail).toContain(`default@${model.version}`);
    expect(refused.body.detail).toContain(`default@${version}`);
    await makeOwnGradient(service);
    await expectOwnGradient(service);
  });

  it.skipIf(!hasRedisServer())("serve every replica on one Redis", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.remove());
    const env = { ASSAY_REDIS_URL: `redis://127.0.0.1:${redis.port}/0` };
    const [service, replica] = await Promise.all([startService({ env }), startService({ env })]);
    await makeOwnGradient(service);
    expect(await read(replica, "unit")).toEqual(await read(service, "unit"));
    await expectOwnGradient(replica);
    expect((await fetch(`${replica.url}/v1/directions/unit`, { method: "DELETE" })).status).toBe(204);
    expect(await read(service, "unit")).toMatchObject({ status: 404, code: "direction_not_found" });
  });

  it("give their sums back when a client hangs up, and say so when the engine dies", async () => {
    const service = await startService();
    const streams = ["a", "b"].map((name) => startStream(service, name));
    await Promise.all(streams.map(({ begun }) => begun));
    const third = await put(service, "gradient", { kind: "loss_gradient", samples: [PAIR] });
    expect(third).toMatchObject({ status: 429, body: { code: "overloaded" } });
    for (const { hangUp } of streams) hangUp();
    await expect
      .poll(() => put(service, "gradient", { kind: "loss_gradient", samples: [PAIR] }))
      .toMatchObject({ status: 200 });

    const { begun, hangUp } = startStream(service, "killed");
    const answer = await begun;
    process.kill(enginePids(service)[0] as number, "SIGKILL");
    const lines = (await text(answer)).trim().split("\n");
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ status: 503, code: "accumulation_lost" });
    hangUp();
    expect(await read(service, "killed")).toMatchObject({ code: "direction_not_found" });
    await expect
      .poll(() => put(service, "unit", { kind: "mean_direction", samples: [PAIR] }))
      .toMatchObject({ status: 200 });
    await expectOwnGradient(service);
  });
});

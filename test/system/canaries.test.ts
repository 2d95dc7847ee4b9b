import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/app.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { type Service, startService } from "../support/service.js";

/** What is never kept and never said: texts, and groups in clear. */
const SECRET = { query: "canaryquery", document: "canarydocument", text: "canarytext", group: "canarygroup" };
/** What is kept in clear (SECURITY.md), but is neither logged nor measured. */
const KEPT = { id: "canaryid", source: "canarysource", extra: "canaryextra" };

const pair = { query: `${SECRET.query} ä`, document: `${SECRET.document} 2 m`, group: SECRET.group };
const sample = { id: KEPT.id, ...pair, source: KEPT.source, extras: { [KEPT.extra]: 1 }, label: 1 };
const observed = { id: `${KEPT.id}-observed`, label: 1, logits: 1, group: SECRET.group, source: KEPT.source };
const observation = { checkpoint: { name: "epoch-1", step: 1 }, loss: "bce", mode: "train" };
const json = "application/json";
const ndjson = "application/x-ndjson";

/** In a dataset that hashes its ids, nothing of an id is kept. */
const HASHED_ID = "canaryhashedid";
const ALL = [...Object.values(SECRET), ...Object.values(KEPT), HASHED_ID];

type Posting = readonly [method: string, path: string, type: string, body: string];

const hashedIds = JSON.stringify({ ids: [HASHED_ID, `${HASHED_ID}-unknown`] });

const ACCEPTED: readonly Posting[] = [
  ["PUT", "/v1/datasets/hashed", json, JSON.stringify({ hashed_ids: true })],
  ["POST", "/v1/score", json, JSON.stringify({ dataset: "hashed", samples: [{ ...sample, id: HASHED_ID }] })],
  [
    "POST",
    "/v1/datasets/hashed/observations",
    json,
    JSON.stringify({ ...observation, samples: [{ ...observed, id: `${HASHED_ID}-observed` }] }),
  ],
  ["POST", "/v1/datasets/hashed/lookup", json, hashedIds],
  [
    "POST",
    "/v1/datasets/hashed/weights",
    json,
    JSON.stringify({ weighting: { signal: "loss", scheme: "rank" } }),
  ],
  [
    "POST",
    "/v1/datasets/hashed/select",
    json,
    JSON.stringify({ method: "top", signal: "loss", size: 1, exclude: [HASHED_ID] }),
  ],
  ["POST", "/v1/score", json, JSON.stringify({ dataset: "d", samples: [sample] })],
  ["POST", "/v1/score", json, JSON.stringify({ samples: [{ text: SECRET.text, label: 1 }] })],
  ["POST", "/v1/score?dataset=d", ndjson, `${JSON.stringify({ ...sample, id: `${KEPT.id}-line` })}\n`],
  ["POST", "/v1/datasets/d/observations", json, JSON.stringify({ ...observation, samples: [observed] })],
  ["PUT", "/v1/directions/v?kind=loss_gradient", ndjson, `${JSON.stringify({ ...pair, label: 1 })}\n`],
  ["POST", "/v1/datasets/d/lookup", json, JSON.stringify({ ids: [KEPT.id, `${KEPT.id}-unknown`] })],
  ["POST", "/v1/datasets/d/weights", json, JSON.stringify({ weighting: { signal: "loss", scheme: "rank" } })],
  [
    "POST",
    "/v1/datasets/d/select",
    json,
    JSON.stringify({ method: "top", signal: "loss", size: 1, exclude: [KEPT.id] }),
  ],
];

const score = (...samples: object[]): string => JSON.stringify({ dataset: "d", samples });
const REFUSED: readonly Posting[] = [
  ["POST", "/v1/score", json, score({ ...sample, label: 7 })],
  ["POST", "/v1/score", json, score({ ...sample, label: SECRET.text })],
  ["POST", "/v1/score", json, score({ ...sample, text: SECRET.text })],
  ["POST", "/v1/score", json, score({ ...sample, unknown: SECRET.text })],
  ["POST", "/v1/score", json, score({ ...sample, query: 1, document: [SECRET.document] })],
  ["POST", "/v1/score", json, score({ ...sample, group: `${SECRET.group}\u0001` })],
  ["POST", "/v1/score", json, score({ ...sample, group: SECRET.group.repeat(100) })],
  ["POST", "/v1/score", json, score({ ...sample, query: `${SECRET.query}\ud800` })],
  ["POST", "/v1/score", json, score({ ...sample, query: SECRET.query.repeat(20_000) })],
  ["POST", "/v1/score", json, score(sample, sample)],
  ["POST", "/v1/score", json, score(sample).slice(0, -3)],
  ["POST", "/v1/score", json, score({ ...sample, grouped: SECRET.group })],
  ["POST", "/v1/score?dataset=d", "text/plain", JSON.stringify(sample)],
  ["PUT", "/v1/directions/v?kind=loss_gradient", ndjson, JSON.stringify({ ...pair, label: SECRET.text })],
  [
    "POST",
    "/v1/datasets/d/observations",
    json,
    JSON.stringify({ ...observation, samples: [{ ...observed, logits: SECRET.text }] }),
  ],
  [
    "POST",
    "/v1/datasets/d/observations",
    json,
    JSON.stringify({ ...observation, samples: [{ ...observed, unknown: SECRET.text }] }),
  ],
];

async function send({ url }: Service, [method, path, type, body]: Posting) {
  const response = await fetch(url + path, { method, headers: { "content-type": type }, body });
  return { status: response.status, text: await response.text() };
}

function foundIn(bytes: Buffer | string): string[] {
  return ALL.filter((canary) => bytes.includes(canary));
}

/** Every file of a folder, with what is in it. */
function filesOf(folder: string): Buffer {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  return Buffer.concat(names.filter((name) => statSync(name).isFile()).map((name) => readFileSync(name)));
}

/** Sends everything, stops the service, and answers the bytes that it has kept. */
async function expectSilent(service: Service, keptBytes: () => Promise<Buffer>): Promise<void> {
  for (const posting of ACCEPTED) {
    const { status, text } = await send(service, posting);
    expect([status, posting[1], status === 200 || status === 201 ? "" : text]).toEqual([
      expect.any(Number),
      posting[1],
      "",
    ]);
    for (const secret of Object.values(SECRET)) expect(text).not.toContain(secret);
  }
  for (const posting of REFUSED) {
    const { status, text } = await send(service, posting);
    expect(status, text).toBeGreaterThanOrEqual(400);
    expect(status, text).toBeLessThan(500);
    for (const secret of Object.values(SECRET)) expect(text).not.toContain(secret);
  }
  const read = await fetch(`${service.url}/v1/datasets/d/samples/${KEPT.id}`);
  const { group, source, extras } = (await read.json()) as { group: string; source: string; extras: object };
  expect({ source, extras }).toEqual({ source: KEPT.source, extras: { [KEPT.extra]: 1 } });
  expect(group).toMatch(/^[0-9a-f]{16}$/);
  expect((await fetch(`${service.url}/v1/datasets/d/samples/${KEPT.id}-gone`)).status).toBe(404);
  for (const path of ["samples", "export"]) {
    const listed = await (await fetch(`${service.url}/v1/datasets/hashed/${path}`)).text();
    expect(listed).toContain(KEPT.source);
    expect(listed).not.toContain(HASHED_ID);
  }
  const gone = `${service.url}/v1/datasets/hashed/samples/${HASHED_ID}`;
  expect((await fetch(gone)).status).toBe(200);
  expect((await fetch(gone, { method: "DELETE" })).status).toBe(204);
  expect(await (await fetch(gone)).text()).not.toContain(HASHED_ID);
  expect(foundIn(await (await fetch(`${service.url}/metrics`)).text())).toEqual([]);
  const kept = await keptBytes();
  expect(foundIn(service.output())).toEqual([]);
  expect(foundIn(kept)).toEqual(Object.values(KEPT));
  expect(kept.includes(Buffer.from(group, "hex"))).toBe(true);
}

describe("texts and groups are neither kept nor said, and ids, sources and extras are neither logged nor measured", () => {
  it("with the embedded store, in all bytes of its folder", async () => {
    const dataDir = temporaryFolder();
    const service = await startService({ dataDir, env: { ASSAY_LOG_LEVEL: "trace" } });
    await expectSilent(service, async () => {
      await service.stop();
      return filesOf(dataDir);
    });
  });

  it.skipIf(!hasRedisServer())("with Redis, in all bytes of its dump and its log of writes", async () => {
    const redis = await startRedis(["--appendonly", "yes", "--rdbcompression", "no"]);
    onTestFinished(() => redis.remove());
    const env = { ASSAY_LOG_LEVEL: "trace", ASSAY_REDIS_URL: `redis://127.0.0.1:${redis.port}` };
    const service = await startService({ env });
    await expectSilent(service, async () => {
      const admin = new Redis(redis.port, "127.0.0.1");
      await admin.save();
      admin.disconnect();
      return filesOf(redis.directory);
    });
  });
});

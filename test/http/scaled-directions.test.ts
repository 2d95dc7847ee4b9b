import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/port.js";
import { temporaryStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import type { Json } from "../support/post.js";

const SAMPLES = Array.from({ length: 6 }, (_, i) => ({ text: `text ${i}`, label: i % 2 }));
/** As many as the fake model has parameters. */
const D = [0, 1, 2, 0.5, 1, 1, 3, 0.25];

function bytesOf(values: readonly number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

async function entriesOf(store: Store, name: string): Promise<number[]> {
  const info = await store.readDirection(name);
  const parts: Uint8Array[] = [];
  for await (const part of store.readDirectionVector(name, info?.digest ?? ""))
    parts.push(Uint8Array.from(part));
  const bytes = Buffer.concat(parts);
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

async function opened(): Promise<{ app: FastifyInstance; store: Store; plain: number[] }> {
  const store = await temporaryStore();
  const app = await testApp({ store, rankers: fakeRankers(fakeRanker()) });
  const payload = { kind: "mean_direction", samples: SAMPLES };
  expect((await app.inject({ method: "PUT", url: "/v1/directions/v", payload })).statusCode).toBe(200);
  return { app, store, plain: await entriesOf(store, "v") };
}

async function scale(
  app: FastifyInstance,
  payload: Buffer,
  name = "v",
): Promise<{ status: number; body: Json }> {
  const headers = { "content-type": "application/octet-stream" };
  const answer = await app.inject({ method: "PUT", url: `/v1/directions/${name}/scale`, headers, payload });
  return { status: answer.statusCode, body: JSON.parse(answer.body) };
}

async function influences(app: FastifyInstance): Promise<{ values: number[]; body: Json }> {
  const payload = { samples: SAMPLES, signals: ["influence", "tangent"], direction: "v", weighting: null };
  const body = JSON.parse((await app.inject({ method: "POST", url: "/v1/score", payload })).body);
  return { values: body.results.map(({ influence }: Json) => influence), body };
}

describe("PUT /v1/directions/{direction}/scale", () => {
  it("multiplies each entry, once, and says so wherever the direction is answered or measured against", async () => {
    const { app, store, plain } = await opened();
    const before = await influences(app);
    expect(before.body).not.toHaveProperty("preconditioned");
    const { status, body } = await scale(app, bytesOf(D));
    expect(status).toBe(200);
    const product = plain.map((value, i) => Math.fround(value * (D[i] as number)));
    expect(await entriesOf(store, "v")).toEqual(product);
    expect(body).toMatchObject({ name: "v", preconditioned: true, coherence: null });
    expect(body.norm).toBeCloseTo(Math.hypot(...product), 12);
    const after = await influences(app);
    expect(after.body.preconditioned).toBe(true);
    expect(after.values).not.toEqual(before.values);

    expect((await scale(app, bytesOf(D))).body).toEqual(body);
    expect(await entriesOf(store, "v")).toEqual(product);
    const other = await scale(app, bytesOf(D.map((value) => 2 * value)));
    expect(other.status).toBe(409);
    expect(other.body.code).toBe("direction_scaled");
  });

  it("scales a direction that was made again", async () => {
    const { app } = await opened();
    await scale(app, bytesOf(D));
    const payload = { kind: "loss_gradient", samples: SAMPLES };
    const made = await app.inject({ method: "PUT", url: "/v1/directions/v", payload });
    expect(JSON.parse(made.body).preconditioned).toBe(false);
    expect((await scale(app, bytesOf(D.map((value) => 2 * value)))).status).toBe(200);
  });

  it.each<[string, Buffer, string]>([
    ["too few entries", bytesOf(D.slice(1)), "has 7 entries, but the direction has 8"],
    ["too many", bytesOf([...D, 1]), "more than the 8 entries"],
    ["half an entry more", Buffer.concat([bytesOf(D), Buffer.alloc(2)]), "more than the 8 entries"],
    ["a negative entry", bytesOf([1, 1, -1, 1, 1, 1, 1, 1]), "Entry 2 of the scale is -1"],
    ["an entry that is no number", bytesOf([1, Number.NaN, 1, 1, 1, 1, 1, 1]), "Entry 1 of the scale is NaN"],
    [
      "an infinite entry",
      bytesOf([1, 1, 1, 1, 1, 1, 1, Number.POSITIVE_INFINITY]),
      "Entry 7 of the scale is Infinity",
    ],
  ])("refuses %s, and leaves the direction as it is", async (_, payload, detail) => {
    const { app, store, plain } = await opened();
    const { status, body } = await scale(app, payload);
    expect(status).toBe(422);
    expect(body.code).toBe("scale_invalid");
    expect(body.detail).toContain(detail);
    expect(await entriesOf(store, "v")).toEqual(plain);
    expect((await store.readDirection("v"))?.scale).toBeNull();
  });

  it("refuses a scale of zeros, an unknown direction and another media type", async () => {
    const { app } = await opened();
    expect((await scale(app, Buffer.alloc(4 * D.length))).body.code).toBe("direction_undefined");
    expect((await scale(app, bytesOf(D), "unknown")).status).toBe(404);
    const url = "/v1/directions/v/scale";
    expect((await app.inject({ method: "PUT", url, payload: { scale: D } })).statusCode).toBe(415);
  });
});

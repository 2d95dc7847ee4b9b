import { type AddressInfo, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import type { Rankers } from "../../src/ranker/port.js";
import { testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const WEIGHTS = { "content-type": "application/vnd.assay.weights" };

/** Rankers of which replacements are noted and answered as told. */
function replaceable(outcome: AssayError | null = null) {
  const asked: string[] = [];
  const rankers = fakeRankers(fakeRanker(), fakeRanker({ name: "other" }));
  async function answer(): ReturnType<Rankers["reload"]> {
    if (outcome !== null) throw outcome;
    return rankers.inspect("default").model;
  }
  return {
    asked,
    rankers: {
      ...rankers,
      async reload(name) {
        asked.push(`reload ${name}`);
        return answer();
      },
      async replaceWeights(name, upload) {
        let bytes = 0;
        for await (const chunk of upload) bytes += chunk.length;
        asked.push(`weights ${name} ${bytes}`);
        return answer();
      },
    } satisfies Rankers,
  };
}

describe("the models", () => {
  it("are listed with their state, and looking at one starts nothing", async () => {
    const rankers = fakeRankers(fakeRanker(), fakeRanker({ name: "other" }));
    const idle = (name: string) => ({
      ...rankers.inspect(name),
      ...(name === "other" && { state: { status: "idle" as const } }),
    });
    const get = (): never => expect.fail("was started");
    const app = await testApp({ rankers: { ...rankers, get, inspect: idle } });
    const { models } = (await app.inject("/v1/models")).json();
    expect(models).toMatchObject([
      { name: "default", status: "ready" },
      { name: "other", status: "idle" },
    ]);
    expect((await app.inject("/v1/models/other")).json()).toEqual(models[1]);
    expect(models[0].memory).toEqual({
      used_bytes: 300_000_000,
      forward_bytes: 400_000_000,
      all_graphs_bytes: 1_200_000_000,
    });
    expect((await app.inject("/v1/models/nobody")).json()).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });
});

describe("GET /v1/models/{model}/manifest", () => {
  it("answers the manifest of the folder, with every field as it is there", async () => {
    const manifest = {
      format: 1,
      name: "other",
      parameters: [{ name: "w", scale: null }],
      learned: { "x-y": [1.5] },
    };
    const app = await testApp({ rankers: { ...fakeRankers(), manifest: (name) => ({ ...manifest, name }) } });
    const response = await app.inject("/v1/models/other/manifest");
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual(manifest);
  });

  it("answers 404 for a model that does not exist", async () => {
    const app = await testApp();
    expect((await app.inject("/v1/models/nobody/manifest")).json()).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });
});

describe("POST /v1/models/{model}/reload", () => {
  it("answers the model that serves then, also to a client that always sends a content type", async () => {
    const { rankers, asked } = replaceable();
    const app = await testApp({ rankers });
    const response = await app.inject({ method: "POST", url: "/v1/models/other/reload" });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ name: "other", status: "ready" });
    const headers = { "content-type": "application/json" };
    await app.inject({ method: "POST", url: "/v1/models/default/reload", headers, payload: "{}" });
    expect(asked).toEqual(["reload other", "reload default"]);
  });

  it.each([
    ["model_rejected", 409],
    ["model_busy", 409],
    ["model_not_found", 404],
  ] as const)("answers %s with %i and the reason", async (code, status) => {
    const { rankers } = replaceable(new AssayError(code, { detail: "weights.bin is not what it was" }));
    const app = await testApp({ rankers });
    const response = await app.inject({ method: "POST", url: "/v1/models/default/reload" });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ code, detail: "weights.bin is not what it was" });
  });
});

describe("PUT /v1/models/{model}/weights", () => {
  /** Over a real connection, which breaks off and is answered early as an injected request cannot. */
  async function put(
    options: Parameters<typeof testApp>[0],
    body: Uint8Array<ArrayBuffer> | string | null,
    headers: Record<string, string> = WEIGHTS,
  ): Promise<{ status: number; problem: Record<string, unknown> }> {
    const app = await testApp(options);
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const response = await fetch(`${url}/v1/models/other/weights`, { method: "PUT", headers, body });
    return { status: response.status, problem: (await response.json()) as Record<string, unknown> };
  }

  it("passes a body on that is larger than any other may be", async () => {
    const { rankers, asked } = replaceable();
    const body = new Uint8Array(3 * 2 ** 20);
    expect((await put({ rankers }, body)).status).toBe(200);
    expect(asked).toEqual([`weights other ${body.length}`]);
  });

  it.each([
    ["weights_invalid", 422],
    ["body_too_large", 413],
    ["model_read_only", 409],
    ["model_busy", 409],
  ] as const)("answers %s with %i and the reason, though half the body is unread", async (code, status) => {
    const faults = [{ path: "/parameters/0/shape", message: "is another" }];
    const rankers = {
      ...fakeRankers(fakeRanker({ name: "other" })),
      async replaceWeights(_name: string, upload: AsyncIterable<Uint8Array>): Promise<never> {
        for await (const _chunk of upload) break;
        throw new AssayError(code, { detail: "as the reason says", faults });
      },
    };
    const answer = await put({ rankers }, new Uint8Array(8 * 2 ** 20));
    expect(answer).toEqual({
      status,
      problem: expect.objectContaining({ code, detail: "as the reason says", faults }),
    });
  });

  it("tells a client that went away from one that is done", async () => {
    let ended: unknown = null;
    const rankers = {
      ...fakeRankers(fakeRanker({ name: "other" })),
      async replaceWeights(_name: string, upload: AsyncIterable<Uint8Array>): Promise<never> {
        try {
          for await (const _chunk of upload);
        } catch (error) {
          ended = error;
        }
        throw new AssayError("cancelled");
      },
    };
    const app = await testApp({ rankers });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
    socket.write(
      `PUT /v1/models/other/weights HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${WEIGHTS["content-type"]}\r\ncontent-length: 100\r\n\r\nabc`,
    );
    await delay(100);
    socket.destroy();
    while (ended === null) await delay(5);
    expect(ended).toMatchObject({ code: "cancelled", message: expect.stringContaining("broke off") });
  });

  it.each([
    ["JSON", { "content-type": "application/json" }, "{}"],
    ["bytes of no type", {}, "x"],
    ["compressed weights", { ...WEIGHTS, "content-encoding": "gzip" }, "x"],
  ])("takes no %s", async (_about, headers: Record<string, string>, body) => {
    const { rankers, asked } = replaceable();
    expect(await put({ rankers }, body, headers)).toMatchObject({
      status: 415,
      problem: { code: "unsupported_media_type" },
    });
    expect(asked).toEqual([]);
  });

  it("needs a key where keys are set, and so does a reload", async () => {
    const { rankers, asked } = replaceable();
    const options = { rankers, apiKeys: ["a-key-of-the-tests"] };
    expect((await put(options, "x")).status).toBe(401);
    const app = await testApp(options);
    expect((await app.inject({ method: "POST", url: "/v1/models/other/reload" })).statusCode).toBe(401);
    expect(asked).toEqual([]);
  });

  it("is the only route that takes weights", async () => {
    const app = await testApp();
    const response = await app.inject({ method: "POST", url: "/v1/score", headers: WEIGHTS, payload: "x" });
    expect(response.statusCode).toBe(415);
  });
});

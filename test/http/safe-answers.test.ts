import { describe, expect, it, onTestFinished } from "vitest";
import { AssayError } from "../../src/errors.js";
import { withoutPlaces } from "../../src/http/places.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const sample = { id: "a", query: "usb c cable", document: "USB-C charging cable", label: 1 };
const CANARY = "canary-3f9a";

describe("every answer", () => {
  it.each([
    ["GET", "/v1/models", 200],
    ["GET", "/docs/", 200],
    ["GET", "/docs/static/index.css", 200],
    ["GET", "/openapi.json", 200],
    ["GET", "/nowhere", 404],
    ["GET", "/v1/datasets/%E0%A4%A", 400],
    ["DELETE", "/v1/score", 405],
    ["GET", "/v1/models/nobody", 404],
  ] as const)("to %s %s says that no browser guesses its type or frames it", async (method, url, status) => {
    const { statusCode, headers } = await (await testApp()).inject({ method, url });
    expect(statusCode).toBe(status);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  });

  it("is kept by nobody, but for the documentation", async () => {
    const app = await testApp();
    expect((await app.inject("/v1/models")).headers["cache-control"]).toBe("no-store");
    expect((await app.inject("/openapi.json")).headers["cache-control"]).toBe("no-cache");
  });
});

describe("the documentation", () => {
  it("works under its policy: every script and style is a file of its own", async () => {
    const app = await testApp();
    const page = await app.inject("/docs/");
    expect(page.headers["content-security-policy"]).toMatch(/script-src 'self';/);
    expect(page.body).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    expect(page.body).not.toMatch(/\son\w+=|javascript:/i);
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file as string);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      const { pathname, host } = new URL(file, "http://localhost/docs/");
      expect({ file, host, status: (await app.inject(pathname)).statusCode }).toEqual({
        file,
        host: "localhost",
        status: 200,
      });
    }
    const initializer = (await app.inject("/docs/static/swagger-initializer.js")).body;
    expect(initializer).toContain("validatorUrl: null");
  });

  it.each(["/openapi.json", "/docs/json", "/docs/yaml"])("is written once, with an ETag: %s", async (url) => {
    const app = await testApp();
    const first = await app.inject(url);
    const { etag } = first.headers as { etag: string };
    expect((await app.inject(url)).headers.etag).toBe(etag);
    const again = await app.inject({ url, headers: { "if-none-match": etag } });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
  });
});

describe("an answer about a fault", () => {
  it.each([
    ["broken JSON", "application/json", `{"samples":[{"text":"${CANARY}"}}`],
    ["a word that is no JSON", "application/json", `{"samples":[{"text":${CANARY}}]}`],
    ["text", "application/json", CANARY],
    ["an unclosed string", "application/json", `{"samples":[{"text":"${CANARY}`],
    ["a control character", "application/json", `{"samples":[{"text":"${CANARY}\u0001"}]}`],
    ["a line that is no JSON", "application/x-ndjson", `{"text":${CANARY}}\n`],
    ["a label that is text", "application/json", `{"samples":[{"text":"a","label":"${CANARY}"}]}`],
    ["a prototype", "application/json", `{"samples":[{"text":"a","__proto__":"${CANARY}"}]}`],
  ])("does not quote the body: %s", async (_about, type, payload) => {
    const lines = type === "application/x-ndjson";
    const response = await (await testApp()).inject({
      method: lines ? "PUT" : "POST",
      url: lines ? "/v1/directions/v?kind=loss_gradient" : "/v1/score",
      headers: { "content-type": type },
      payload,
    });
    expect(response.statusCode).toBe(400);
    expect(response.body).not.toContain("canary");
  });

  it("tells no path and no address of what libraries say", async () => {
    const said = `Load model from /srv/${CANARY}/models/default/forward.onnx failed: open "/home/${CANARY}/weights.bin"`;
    for (const code of ["model_not_ready", "model_invalid", "engine_failed", "store_unavailable"] as const) {
      const ranker = fakeRanker();
      ranker.failWith(new AssayError(code, { detail: said }));
      const app = await testApp({ rankers: fakeRankers(ranker) });
      const { body } = await app.inject({
        method: "POST",
        url: "/v1/score",
        payload: { samples: [sample] },
      });
      expect(body).not.toContain(CANARY);
      expect(body).toContain("forward.onnx");
      ranker.setState({ status: "failed", reason: said });
      expect((await app.inject("/readyz")).body).not.toContain(CANARY);
    }
  });

  it("does not say where Redis is", async () => {
    const store = await openRedisStore({ url: "redis://:secret@127.0.0.1:1/0" });
    onTestFinished(() => store.close());
    const app = await testApp({ store });
    for (const url of ["/readyz", "/v1/datasets", "/v1/datasets/d"]) {
      const response = await app.inject(url);
      expect(response.statusCode).toBe(503);
      expect(response.body).not.toMatch(/127\.0\.0\.1|secret|:1\b/);
    }
  });

  it("keeps what is no place: routes, dates, ratios, names", () => {
    for (const text of [
      "POST /v1/models/default/reload tries again",
      "2026-01-02/03",
      "a/b/c",
      "models/default/weights.bin does not match its digest",
      "and/or",
      "version 1.2.3",
    ])
      expect(withoutPlaces(text)).toBe(text);
    expect(withoutPlaces("connect ECONNREFUSED 10.0.0.7:6379")).toBe("connect ECONNREFUSED (an address)");
    expect(withoutPlaces("open 'C:\\models\\x\\weights.bin'")).toBe("open 'weights.bin'");
    expect(withoutPlaces("/tmp/a/b.onnx: no")).toBe("b.onnx: no");
  });
});

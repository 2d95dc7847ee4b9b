import { describe, expect, it } from "vitest";
import { brokenStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";

const sample = { query: "usb c cable", document: "USB-C charging cable", label: 1 };

describe("health", () => {
  it("is alive without a model or a store", async () => {
    const ranker = fakeRanker();
    ranker.setState({ status: "loading", reason: "the model is loading" });
    const app = await testApp({ rankers: fakeRankers(ranker), store: brokenStore() });
    expect((await app.inject("/healthz")).json()).toEqual({ status: "alive" });
  });

  it("is ready when the model is loaded and the store answers, and says what the store promises", async () => {
    const response = await (await testApp()).inject("/readyz");
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ ready: true, model: { ready: true }, store: { ready: true } });
    expect(response.json().store.detail).toMatch(/^embedded: /);
  });

  it.each([
    [{ status: "loading", reason: "the model is loading" }],
    [{ status: "failed", reason: "weights.bin does not match its digest" }],
  ] as const)("is not ready while the model is $status, with the reason", async (state) => {
    const ranker = fakeRanker();
    ranker.setState(state);
    const response = await (await testApp({ rankers: fakeRankers(ranker) })).inject("/readyz");
    expect(response.statusCode).toBe(503);
    expect(response.json().model).toEqual({ ready: false, detail: state.reason });
  });

  it("is not ready while the store does not answer, with the reason", async () => {
    const response = await (await testApp({ store: brokenStore() })).inject("/readyz");
    expect(response.statusCode).toBe(503);
    expect(response.json().store).toEqual({ ready: false, detail: "the store is down" });
  });
});

describe("metrics", () => {
  it("count requests by route and status, samples and cache hits", async () => {
    const app = await testApp();
    for (let i = 0; i < 2; i++) await postScore(app, { samples: [sample] });
    await app.inject("/v1/datasets/nobody");
    const text = (await app.inject("/metrics")).body;
    expect(text).toContain('assay_requests_total{method="POST",route="/v1/score",status="200"} 2');
    expect(text).toContain('assay_requests_total{method="GET",route="/v1/datasets/:dataset",status="404"} 1');
    expect(text).toContain('assay_samples_total{model="default"} 2');
    expect(text).toContain('assay_cache_hits_total{model="default"} 1');
    expect(text).toContain("process_resident_memory_bytes");
  });
});

describe("bearer keys", () => {
  const apiKeys = ["first-key-of-two-0", "second-key-of-two-"];

  it("are required on every route but probes and documentation", async () => {
    const app = await testApp({ apiKeys });
    for (const url of ["/v1/models", "/v1/datasets", "/metrics", "/v1/nothing"]) {
      const response = await app.inject(url);
      expect({ url, status: response.statusCode, code: response.json().code }).toEqual({
        url,
        status: 401,
        code: "unauthorised",
      });
      expect(response.headers["www-authenticate"]).toBe("Bearer");
    }
    for (const url of ["/healthz", "/readyz", "/openapi.json", "/docs/"])
      expect((await app.inject(url)).statusCode).toBe(200);
  });

  it.each(apiKeys)("let in whoever has one of them", async (key) => {
    const app = await testApp({ apiKeys });
    expect(
      (await app.inject({ url: "/v1/models", headers: { authorization: `Bearer ${key}` } })).statusCode,
    ).toBe(200);
  });

  it.each(["Bearer wrong-key-of-two-", `Basic ${apiKeys[0]}`, `Bearer ${apiKeys.join()}`, "Bearer "])(
    "refuse %s",
    async (authorization) => {
      const app = await testApp({ apiKeys });
      expect((await app.inject({ url: "/v1/models", headers: { authorization } })).statusCode).toBe(401);
    },
  );

  it("refuse before the body is read", async () => {
    const app = await testApp({ apiKeys });
    const response = await app.inject({
      method: "POST",
      url: "/v1/score",
      headers: { "content-type": "application/json" },
      payload: "{",
    });
    expect(response.statusCode).toBe(401);
  });
});

describe("the models", () => {
  it("are listed and described, without a path", async () => {
    const app = await testApp({
      rankers: fakeRankers(
        fakeRanker(),
        fakeRanker({
          name: "other",
          classes: 3,
          task: "classification",
          gradientGraphs: ["norms", "attribution"],
          gradientScope: "last:2",
          embedding: { size: 384, after: "embeddings" },
        }),
        fakeRanker({ name: "plain", gradientGraphs: [] }),
      ),
    });
    const list = (await app.inject("/v1/models")).json();
    expect(list.default).toBe("default");
    expect(list.models.map(({ name }: { name: string }) => name)).toEqual(["default", "other", "plain"]);
    expect(list.models.map((model: { gradient_scope: unknown }) => model.gradient_scope)).toEqual([
      "all",
      "last:2",
      null,
    ]);
    expect(list.models[0].embedding).toBeNull();
    expect(list.faulty).toEqual([]);
    expect((await app.inject("/v1/models/other")).json()).toMatchObject({
      classes: 3,
      tokens_max: 256,
      gradient_graphs: ["norms", "attribution"],
      embedding: { size: 384, after: "embeddings" },
    });
    expect((await app.inject("/v1/models/nobody")).statusCode).toBe(404);
  });
});

describe("the documentation", () => {
  it("answers the OpenAPI document and a page that shows it", async () => {
    const app = await testApp();
    const document = (await app.inject("/openapi.json")).json();
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths)).toContain("/v1/datasets/{dataset}/lookup");
    expect((await app.inject("/docs/")).headers["content-type"]).toMatch(/text\/html/);
    expect((await app.inject("/docs/static/swagger-ui-bundle.js")).statusCode).toBe(200);
  });

  it("names the media type of problems, and no schema that nothing uses", async () => {
    const document = (await (await testApp()).inject("/openapi.json")).json();
    const { responses } = document.paths["/v1/score"].post;
    expect(Object.keys(responses["422"].content)).toEqual(["application/problem+json"]);
    expect(Object.keys(document.components.schemas).sort()).toEqual([
      "Dataset",
      "DatasetSettingsInput",
      "Direction",
      "Job",
      "Model",
      "NoiseAnswer",
      "NoiseInput",
      "Problem",
      "SelectionAnswer",
      "SelectionInput",
      "Snapshot",
      "WeightingInput",
    ]);
  });

  it("states the limits in the schema", async () => {
    const document = JSON.stringify((await (await testApp()).inject("/openapi.json")).json());
    expect(document).toContain('"maxItems":64');
    expect(document).toContain("At most 256 bytes of UTF-8");
  });
});

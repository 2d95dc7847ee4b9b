import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { AssayError, ERRORS } from "../../src/errors.js";
import { STATUS } from "../../src/http/problems.js";
import { TEST_LIMITS, temporaryStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";
import { exchange, listeningPort } from "../support/raw.js";

const sample = { id: "a", query: "usb c cable", document: "USB-C charging cable", label: 1 };
const json = { "content-type": "application/json" };

/** Posts a body as it is, so that a test may send what JSON.stringify would not write. */
async function post(
  payload: string | object,
  options: Parameters<typeof testApp>[0] = {},
  headers: Record<string, string> = json,
) {
  const app = await testApp(options);
  const response = await app.inject({
    method: "POST",
    url: "/v1/score",
    headers,
    payload: typeof payload === "string" ? payload : JSON.stringify(payload),
  });
  return { status: response.statusCode, type: response.headers["content-type"], problem: response.json() };
}

describe("a problem", () => {
  it("has type, title, status, code and detail as application/problem+json", async () => {
    const { status, type, problem } = await post({ samples: [sample], model: "nobody" });
    expect(status).toBe(404);
    expect(type).toMatch(/^application\/problem\+json/);
    expect(problem).toEqual({
      type: "urn:assay:problem:model_not_found",
      title: ERRORS.model_not_found,
      status: 404,
      code: "model_not_found",
      detail: "No model is named nobody",
    });
  });

  it.each([
    ["broken JSON", '{"samples":[', 400, "invalid_json", undefined],
    ["an empty body", "", 400, "invalid_json", undefined],
    [
      "NaN, which JSON does not have",
      '{"samples":[{"text":"a","label":NaN}]}',
      400,
      "invalid_json",
      undefined,
    ],
    [
      "an infinite label",
      '{"samples":[{"text":"a","label":1e999}]}',
      400,
      "invalid_request",
      "/samples/0/label",
    ],
    [
      "a label that is text",
      { samples: [{ ...sample, label: "1" }] },
      400,
      "invalid_request",
      "/samples/0/label",
    ],
    [
      "a query that is a number",
      { samples: [{ ...sample, query: 5 }] },
      400,
      "invalid_request",
      "/samples/0/query",
    ],
    ["a body that is a list", [], 400, "invalid_request", ""],
    ["an empty batch", { samples: [] }, 400, "invalid_request", "/samples"],
    ["an unknown field", { samples: [sample], extra: 1 }, 400, "invalid_request", "/extra"],
    [
      "an unknown field of a sample",
      { samples: [{ ...sample, rating: 3 }] },
      400,
      "invalid_request",
      "/samples/0/rating",
    ],
    ["an unknown signal", { samples: [sample], signals: ["gradient"] }, 400, "invalid_request", "/signals/0"],
    [
      "a query without a document",
      { samples: [{ query: "a", label: 1 }] },
      400,
      "invalid_request",
      "/samples/0",
    ],
    ["a text beside a query", { samples: [{ ...sample, text: "a" }] }, 400, "invalid_request", "/samples/0"],
    [
      "an id with a control character",
      { samples: [{ ...sample, id: "a\u0000" }] },
      400,
      "invalid_request",
      "/samples/0/id",
    ],
    ...[".", ".."].flatMap((step): [string, object, number, string, string][] => [
      [`an id ${step}`, { samples: [{ ...sample, id: step }] }, 400, "invalid_request", "/samples/0/id"],
      [`a dataset ${step}`, { dataset: step, samples: [sample] }, 400, "invalid_request", "/dataset"],
      [`a direction ${step}`, { direction: step, samples: [sample] }, 400, "invalid_request", "/direction"],
    ]),
    ["an empty id", { samples: [{ ...sample, id: "" }] }, 400, "invalid_request", "/samples/0/id"],
    [
      "an id of 257 bytes",
      { samples: [{ ...sample, id: `${"é".repeat(128)}x` }] },
      400,
      "invalid_request",
      "/samples/0/id",
    ],
    [
      "a lone surrogate in a text",
      '{"samples":[{"text":"a\\ud800"}]}',
      400,
      "invalid_request",
      "/samples/0/text",
    ],
    [
      "a lone surrogate in an id",
      '{"samples":[{"text":"a","id":"\\udc00"}]}',
      400,
      "invalid_request",
      "/samples/0/id",
    ],
    [
      "a text that is too long",
      { samples: [{ text: "a".repeat(10_001) }] },
      400,
      "invalid_request",
      "/samples/0/text",
    ],
    ["too many samples", { samples: Array(65).fill({ text: "a" }) }, 400, "invalid_request", "/samples"],
    [
      "a rating sent to bce",
      { samples: [{ ...sample, label: 3 }] },
      422,
      "unsuitable_label",
      "/samples/0/label",
    ],
    [
      "a list of labels for one logit",
      { samples: [{ ...sample, label: [0, 1] }] },
      422,
      "unsuitable_label",
      "/samples/0/label",
    ],
    ["a loss of another task", { samples: [sample], loss: "cross_entropy" }, 422, "unsuitable_loss", "/loss"],
    [
      "a signal without meaning under the loss",
      { samples: [sample], loss: "mse", signals: ["el2n"] },
      422,
      "unsuitable_signal",
      "/signals/0",
    ],
    [
      "a signal that needs a label",
      { samples: [sample, { text: "a" }], signals: ["loss"] },
      422,
      "missing_label",
      "/samples/1/label",
    ],
    [
      "a margin of a soft label",
      { samples: [{ ...sample, label: 0.5 }], signals: ["margin"] },
      422,
      "missing_label",
      "/samples/0/label",
    ],
    [
      "two samples with one id",
      { samples: [sample, { ...sample, query: "b" }] },
      422,
      "duplicate_id",
      "/samples/1/id",
    ],
    [
      "a dataset's sample without an id",
      { dataset: "d", samples: [{ text: "a" }] },
      422,
      "invalid_sample",
      "/samples/0/id",
    ],
    [
      "a precision that the model lacks",
      { samples: [sample], precision: "int8" },
      422,
      "unsuitable_precision",
      "/precision",
    ],
    [
      "proportional weights of a signed signal",
      { samples: [sample], weighting: { signal: "margin", scheme: "proportional" } },
      422,
      "unsuitable_weighting",
      "/weighting/scheme",
    ],
    [
      "a parameter of another scheme",
      { samples: [sample], weighting: { signal: "loss", scheme: "rank", alpha: 2 } },
      422,
      "unsuitable_weighting",
      "/weighting/alpha",
    ],
    [
      "a sample without the extra that is the base",
      {
        samples: [
          { ...sample, extras: { impressions: 2 } },
          { ...sample, id: "b" },
        ],
        weighting: { signal: "loss", scheme: "rank", base: "impressions" },
      },
      422,
      "invalid_sample",
      "/samples/1/extras/impressions",
    ],
    [
      "a base below 0",
      {
        samples: [{ ...sample, extras: { impressions: -2 } }],
        weighting: { signal: "loss", scheme: "rank", base: "impressions" },
      },
      422,
      "invalid_sample",
      "/samples/0/extras/impressions",
    ],
    [
      "balanced classes where a label is soft",
      {
        samples: [sample, { ...sample, id: "b", label: 0.5 }],
        weighting: { signal: "loss", scheme: "rank", balance: true },
      },
      422,
      "missing_label",
      "/samples/1/label",
    ],
    [
      "a cap under the mean",
      { samples: [sample], weighting: { signal: "loss", scheme: "rank", clip: 0.5 } },
      400,
      "invalid_request",
      "/weighting/clip",
    ],
  ])("answers %s by its status, code and path", async (_about, payload, status, code, path) => {
    const answer = await post(payload);
    expect({ status: answer.status, code: answer.problem.code }).toEqual({ status, code });
    if (path !== undefined)
      expect(answer.problem.faults.map((fault: { path: string }) => fault.path)).toContain(path);
  });

  it("tells how to rescale a rating, and which signals need no label", async () => {
    const rating = await post({ samples: [{ ...sample, label: 3 }] });
    expect(rating.problem.detail).toMatch(/rescale a rating/);
    const unlabelled = await post({ samples: [{ text: "a" }], signals: ["loss"] });
    expect(unlabelled.problem.faults[0].message).toMatch(/probability, entropy/);
  });

  it("lists each fault of several", async () => {
    const { problem } = await post({
      samples: [
        { ...sample, label: "x" },
        { ...sample, id: "b", query: 1 },
      ],
    });
    expect(problem.faults.map(({ path }: { path: string }) => path)).toEqual([
      "/samples/0/label",
      "/samples/1/query",
    ]);
  });

  it("answers 413 for a body over the limit", async () => {
    const { status, problem } = await post(
      { samples: [{ text: "a".repeat(3000) }] },
      { limits: { ...TEST_LIMITS, bodyBytesMax: 2048 } },
    );
    expect({ status, code: problem.code }).toEqual({ status: 413, code: "body_too_large" });
  });

  it("answers 415 for a body that is not JSON", async () => {
    for (const type of ["text/csv", "text/plain", "application/x-www-form-urlencoded"]) {
      const { status, problem } = await post("a,b", {}, { "content-type": type });
      expect({ type, status, code: problem.code }).toEqual({
        type,
        status: 415,
        code: "unsupported_media_type",
      });
    }
  });

  it("refuses a body that is not UTF-8, and one that is compressed", async () => {
    const app = await testApp();
    const latin1 = Buffer.from('{"samples":[{"text":"caf\u00e9"}]}', "latin1");
    const request = { method: "POST", url: "/v1/score", payload: latin1 } as const;
    expect((await app.inject({ ...request, headers: json })).json()).toMatchObject({
      status: 400,
      detail: "The body is not UTF-8",
    });
    const gzip = { ...json, "content-encoding": "gzip" };
    expect((await app.inject({ ...request, headers: gzip })).json()).toMatchObject({
      status: 415,
      code: "unsupported_media_type",
    });
  });

  it.each([
    ['{"samples":[{"text":"a","__proto__":{"x":1}}]}', "/samples/0/__proto__"],
    ['{"samples":[{"text":"a","\\u005f_proto__":1}]}', "/samples/0/__proto__"],
    ['{"samples":[],"constructor":{"prototype":{"x":1}}}', "/constructor/prototype"],
  ])("refuses a body that would poison a prototype, and says so: %s", async (body, path) => {
    const { problem } = await post(body);
    expect(problem).toMatchObject({
      code: "invalid_json",
      detail: `${path} would change the prototype of an object: leave it out`,
    });
  });

  it("says where the JSON breaks", async () => {
    expect((await post('{"samples":[{"text":}]}')).problem.detail).toMatch(/Unexpected token '}'/);
  });

  it.each(["GET /v1/datasets/%2e%2e", "DELETE /v1/datasets/%2E", "GET /v1/datasets/d/samples/%2e%2e"])(
    "refuses the names . and .. in a path, which clients remove from it: %s",
    async (line) => {
      const port = await listeningPort(await testApp());
      const answer = await exchange(port, `${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain("must not be . or ..");
    },
  );

  it("refuses a cursor that no page gave, naming the parameter", async () => {
    const app = await testApp();
    for (const cursor of ["zzz", "%00", "/../"]) {
      const { faults } = (await app.inject(`/v1/datasets?cursor=${cursor}`)).json();
      expect(faults).toEqual([
        { path: "cursor", message: "is not the next_cursor of a page: send one as it was answered" },
      ]);
    }
  });

  it("answers a problem to what is not HTTP", async () => {
    const app = await testApp();
    await app.listen({ port: 0 });
    const socket = connect((app.server.address() as AddressInfo).port);
    socket.write("not http at all\r\n\r\n");
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] as string)).toMatchObject({
      status: 400,
      code: "invalid_request",
    });
  });

  it("answers a problem for a path that is no URL", async () => {
    const response = await (await testApp()).inject("/v1/datasets/%E0%A4%A");
    expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ status: 400, code: "invalid_request" });
  });

  it("answers 404 for a route that does not exist", async () => {
    const app = await testApp();
    const response = await app.inject({ method: "GET", url: "/v2/score?x=1" });
    expect(response.json()).toMatchObject({
      status: 404,
      code: "route_not_found",
      detail: "No route answers GET /v2/score",
    });
  });

  it.each([
    ["overloaded", 429],
    ["engine_failed", 503],
  ] as const)("answers %s with %i and Retry-After", async (code, status) => {
    const ranker = fakeRanker();
    ranker.failWith(new AssayError(code));
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const response = await postScore(app, { samples: [sample] });
    expect(response.statusCode).toBe(status);
    expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("keeps what broke inside out of the answer", async () => {
    const ranker = fakeRanker();
    ranker.failWith(new Error("secret path") as AssayError);
    const { status, problem } = await post({ samples: [sample] }, { rankers: fakeRankers(ranker) });
    expect({ status, code: problem.code }).toEqual({ status: 500, code: "internal" });
    expect(JSON.stringify(problem)).not.toContain("secret");
  });

  it("leaves nothing behind of a batch with one faulty sample", async () => {
    const store = await temporaryStore();
    const ranker = fakeRanker();
    const payload = { dataset: "d", samples: [sample, { ...sample, id: "b", label: 7 }] };
    expect((await post(payload, { store, rankers: fakeRankers(ranker) })).status).toBe(422);
    expect(ranker.ran).toEqual([]);
    expect(await store.readDataset("d")).toBeNull();
  });

  it("knows a status for every code of the catalogue", () => {
    expect(Object.keys(STATUS).sort()).toEqual(Object.keys(ERRORS).sort());
  });
});

describe("a refusal before a long body has been read", () => {
  const long = Buffer.alloc(8 * 2 ** 20, "{\n");
  it.each([
    [
      "JSON lines with a fault in the first",
      "PUT",
      "/v1/directions/v?kind=loss_gradient",
      "application/x-ndjson",
      400,
    ],
    ["JSON lines with a bad query", "PUT", "/v1/directions/v?kind=none", "application/x-ndjson", 400],
    ["a body that is too large", "POST", "/v1/score", "application/json", 413],
    ["a type that is not taken", "POST", "/v1/score", "text/plain", 415],
  ])("reaches a client that sends all of it and closes: %s", async (_about, method, path, type, status) => {
    const app = await testApp();
    await app.listen({ host: "127.0.0.1", port: 0 });
    const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
    const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${long.length}\r\n\r\n`;
    // As Python's urllib does: nothing is read before everything is sent.
    socket.pause();
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.write(Buffer.concat([Buffer.from(head), long]), () => resolve());
    });
    let answer = "";
    for await (const part of socket) answer += part;
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('"code":');
  });
});

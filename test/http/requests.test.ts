import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const sample = { id: "a", query: "usb c cable", document: "USB-C charging cable", label: 1 };
const json = { "content-type": "application/json" };

/** What the service answers to bytes as they are. */
async function send(
  method: "POST" | "PUT" | "DELETE",
  url: string,
  payload?: string | Buffer,
  headers: Record<string, string> = json,
) {
  const app = await testApp({
    rankers: { ...fakeRankers(fakeRanker()), reload: async () => fakeRanker().model },
  });
  const response = await app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
  return { ...response.json(), status: response.statusCode };
}

const score = (payload: string | object) =>
  send("POST", "/v1/score", typeof payload === "string" ? payload : JSON.stringify(payload));

describe("a JSON body", () => {
  it.each([
    ["at its top", '{"samples":[{"text":"a"}],"samples":[{"text":"b"}]}', "/samples"],
    ["in a sample", '{"samples":[{"text":"a"},{"text":"b","label":1,"label":0}]}', "/samples/1/label"],
    ["by an escape", '{"samples":[{"text":"a","label":1,"\\u006cabel" : 0}]}', "/samples/0/label"],
    [
      "deeper, after lists and strings that hold brackets and quotes",
      '{"samples":[{"text":"}]\\\\\\",\\"label\\":","label":[0,1],"extras":{"a/b":1,"c":2,"a/b":3}}]}',
      "/samples/0/extras/a~1b",
    ],
  ])("that names a field twice %s is refused, not read by its last", async (_about, payload, path) => {
    expect(await score(payload)).toMatchObject({
      status: 400,
      code: "invalid_json",
      faults: [{ path, message: "occurs twice in one object: leave one out" }],
    });
  });

  it.each([
    ["one name in several objects", '{"samples":[{"text":"a","id":"1"},{"text":"b","id":"2"}]}'],
    ["a text that looks like a name", '{"samples":[{"text":"\\"label\\":1,\\"label\\":2","id":"label"}]}'],
    ["names as values", '{"samples":[{"text":"label","id":"text"}],"signals":["entropy","probability"]}'],
    ["a byte order mark", '\ufeff{"samples":[{"text":"a"}]}'],
  ])("with %s is read", async (_about, payload) => {
    expect((await score(payload)).status).toBe(200);
  });

  it.each([
    [
      "1,025 fields",
      `{${Array.from({ length: 1025 }, (_, k) => `"k${k}":0`)}}`,
      "The body has more than 1024 names",
    ],
    [
      "as many extras",
      `{"samples":[{"text":"a","extras":{${Array.from({ length: 1025 }, (_, k) => `"k${k}":""`)}}}]}`,
      "/samples/0/extras has more than 1024 names",
    ],
    ["5 levels", '{"samples":[{"text":"a","label":[[0]]}]}', "/samples/0/label/0 is more than 4 levels deep"],
  ])("of %s is refused before it is parsed", async (_about, payload, detail) => {
    const answer = await score(payload);
    expect(answer).toMatchObject({ status: 400, code: "invalid_json" });
    expect(answer.detail).toMatch(detail);
  });

  it.each([
    [
      "1,025 probabilities",
      `{"samples":[{"text":"a","label":[${Array(1025).fill(0)}]}]}`,
      "/samples/0/label must have at most 1024 entries",
    ],
    [
      "more entries than any list may have",
      `{"samples":[${Array(1025).fill("{}")}]}`,
      "/samples must have at most 1024 entries",
    ],
  ])("of %s is refused before it is parsed, as JSON that does not fit", async (_about, payload, detail) => {
    const answer = await score(payload);
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(answer.detail).toMatch(detail);
  });

  it("that is no JSON is refused without being quoted", async () => {
    const answer = await score('{"samples":[{"text":"my secret", "label": oops}]}');
    expect(answer).toMatchObject({ status: 400, code: "invalid_json" });
    expect(answer.detail).toMatch(/^The body is not JSON that can be read: Unexpected token 'o'/);
    expect(JSON.stringify(answer)).not.toContain("secret");
  });

  it("keeps ids apart that look alike: normal forms are not folded", async () => {
    const app = await testApp();
    const samples = ["caf\u00e9", "cafe\u0301"].map((id) => ({ ...sample, id }));
    const post = (url: string, payload: object) => app.inject({ method: "POST", url, payload });
    expect((await post("/v1/score", { dataset: "d", samples })).statusCode).toBe(200);
    const found = await post("/v1/datasets/d/lookup", { ids: samples.map(({ id }) => id) });
    expect(found.json().results.map(({ id }: { id: string }) => id)).toEqual(["caf\u00e9", "cafe\u0301"]);
    expect((await app.inject("/v1/datasets/d")).json().samples).toBe(2);
  });
});

describe("a fault of the schema", () => {
  it.each([
    ["a field that is missing", {}, "/samples is required"],
    [
      "one of a look-up",
      { samples: [sample], trajectory: [{}] },
      "/trajectory/0/model is required (and 2 more)",
    ],
    ["another type", { samples: [{ text: 5 }] }, "/samples/0/text must be a string, not 5"],
    ["null", { samples: [{ text: null, query: "a" }] }, "/samples/0/text must be a string, not null"],
    ["a list in place of an object", { samples: [[]] }, "/samples/0 must be an object, not a list"],
    ["another choice", { samples: [sample], loss: "l2" }, /^\/loss must be one of bce, /],
    ["an empty list", { samples: [] }, "/samples must have at least 1 entry"],
    ["a number out of range", { samples: [sample], exact_fraction: 2 }, "/exact_fraction must be at most 1"],
    [
      "a fraction of a seed",
      { samples: [sample], exact_fraction: 1, seed: 0.5 },
      "/seed must be a whole number, not 0.5",
    ],
    [
      "a field that is not known",
      { samples: [{ ...sample, "a/b": 1 }] },
      "/samples/0/a~1b is not a known field; the fields here are: id, query, document, text, label, group, source, reference_loss, extras",
    ],
    ["two faults", { samples: [{ text: 5 }, 1] }, "/samples/0/text must be a string, not 5 (and 1 more)"],
    ["of the whole body", [], "The body must be an object, not a list"],
  ])("says in a sentence what is wrong: %s", async (_about, payload, detail) => {
    const answer = await score(payload);
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    if (typeof detail === "string") expect(answer.detail).toBe(detail);
    else expect(answer.detail).toMatch(detail);
  });

  it("counts entries from 0 in every pointer, also in what it says of another sample", async () => {
    const answer = await score({ samples: [sample, { ...sample, text: undefined }] });
    expect(answer).toMatchObject({
      code: "duplicate_id",
      detail: "/samples/1/id is the id of /samples/0 too",
    });
  });

  it("counts lines from 1, blank ones too", async () => {
    const lines = '{"text":"a","label":1}\n\n{"text":"b","label":"x"}\n';
    const type = { "content-type": "application/x-ndjson" };
    const answer = await send("PUT", "/v1/directions/v?kind=loss_gradient", lines, type);
    expect(answer.detail).toMatch(/^line 3\/label must be a number/);
    expect(answer.faults).toMatchObject([{ path: "line 3/label" }]);
  });
});

/** The types that `POST /v1/score` takes. */
const SCORED = "application/json or application/x-ndjson or application/vnd.apache.arrow.stream";

describe("a body that is absent", () => {
  it.each([
    ["of a JSON type", json, "The body is missing: send a JSON object"],
    ["of no type", {}, "The body is missing, or null: send it as application/json"],
  ])("is called missing where the route needs one: %s", async (_about, headers, detail) => {
    for (const url of ["/v1/datasets/d/lookup", "/v1/datasets/d/weights"])
      expect(await send("POST", url, undefined, headers)).toMatchObject({ status: 400, detail });
  });

  it("of a stream or of weights is called missing with the types that are taken", async () => {
    expect(await send("PUT", "/v1/directions/v", undefined, {})).toMatchObject({
      status: 400,
      detail: "The body is missing, or null: send it as application/json or application/x-ndjson",
    });
    expect(await send("POST", "/v1/score", undefined, {})).toMatchObject({
      status: 400,
      detail: `The body is missing, or null: send it as ${SCORED}`,
    });
    expect(await send("PUT", "/v1/models/default/weights", undefined, {})).toMatchObject({
      status: 400,
      detail:
        "The body is missing, or null: send it as application/vnd.assay.weights or application/octet-stream",
    });
  });

  it.each([undefined, "", "{}", " {}\n"])(
    "is right where the route reads none, also under a JSON type: %j",
    async (payload) => {
      expect((await send("POST", "/v1/models/default/reload", payload)).status).toBe(200);
      expect((await send("DELETE", "/v1/datasets/d", payload)).code).toBe("dataset_not_found");
    },
  );

  it("is asked for where the route would not read what it says", async () => {
    for (const payload of ['{"force":true}', "[]", "null", "{"])
      expect(await send("POST", "/v1/models/default/reload", payload)).toMatchObject({
        status: 400,
        code: "invalid_request",
        detail: "The body is not used by this route: leave it out, or send {}",
      });
  });
});

describe("a content type that a route does not take", () => {
  it.each([
    ["POST", "/v1/score", `Send the body as ${SCORED}, not as text/csv`],
    ["POST", "/v1/datasets/d/lookup", "Send the body as application/json, not as text/csv"],
    [
      "PUT",
      "/v1/directions/v?kind=loss_gradient",
      "Send the body as application/json or application/x-ndjson, not as text/csv",
    ],
    [
      "PUT",
      "/v1/models/default/weights",
      "Send the body as application/vnd.assay.weights or application/octet-stream, not as text/csv",
    ],
    ["POST", "/v1/models/default/reload", "This route takes no body: leave it out"],
    ["DELETE", "/v1/datasets/d", "This route takes no body: leave it out"],
  ] as const)("is refused with those that it takes: %s %s", async (method, url, detail) => {
    const answer = await send(method, url, "a,b", { "content-type": "text/csv" });
    expect(answer).toMatchObject({ status: 415, code: "unsupported_media_type", detail });
  });

  it("is no type at all, or none is named", async () => {
    expect(await send("POST", "/v1/score", "{}", { "content-type": "json" })).toMatchObject({
      status: 415,
      detail: `Send the body as ${SCORED}, not as json`,
    });
    expect(await send("POST", "/v1/score", Buffer.from("{}"), {})).toMatchObject({
      status: 415,
      detail: `Send the body as ${SCORED}, and name the type in Content-Type`,
    });
  });

  it("does not hide that there is no such route", async () => {
    for (const type of ["text/csv", "application/json"])
      expect(await send("POST", "/v1/scores", "a,b", { "content-type": type })).toMatchObject({
        status: 404,
        code: "route_not_found",
      });
  });

  it("takes no body that is packed, on any route", async () => {
    const packed = (type: string) => ({ "content-type": type, "content-encoding": "gzip" });
    for (const [method, url, type] of [
      ["POST", "/v1/score", "application/json"],
      ["PUT", "/v1/directions/v?kind=loss_gradient", "application/x-ndjson"],
      ["PUT", "/v1/models/default/weights", "application/octet-stream"],
    ] as const) {
      const answer = await send(method, url, "x", packed(type));
      expect(answer).toMatchObject({ status: 415, code: "unsupported_media_type" });
      expect(answer.detail).toMatch(/^Content-Encoding gzip is not supported: send \S+ /);
    }
  });
});

describe("a weighting", () => {
  const samples = [sample, { ...sample, id: "b", label: 0 }];
  const weights = async (weighting: object, signals = ["loss", "grad_norm_last", "grad_norm"]) => {
    const answer = await score({ samples, signals, weighting });
    return answer.results?.map(({ weight }: { weight: number }) => weight) ?? answer;
  };

  it("without a scheme is proportional, as on the command line", async () => {
    const proportional = await weights({ signal: "loss", scheme: "proportional" });
    expect(await weights({ signal: "loss" })).toEqual(proportional);
    expect(proportional).not.toEqual(await weights({ signal: "loss", scheme: "rank" }));
    const mix = [{ signal: "loss", share: 1 }];
    expect(await weights({ mix })).toEqual(await weights({ mix, scheme: "proportional" }));
  });

  it("of a dataset without a scheme is proportional too, and says so", async () => {
    const app = await testApp();
    const post = (url: string, payload: object) => app.inject({ method: "POST", url, payload });
    await post("/v1/score", { dataset: "d", samples });
    const answer = await post("/v1/datasets/d/weights", { weighting: { signal: "loss" } });
    expect(answer.json().snapshot.provenance.weighting).toMatchObject({ scheme: "proportional", alpha: 1 });
  });

  it("without a signal weighs by the scheme's own, or by grad_norm_last, as on the command line", async () => {
    expect(await weights({})).toEqual(await weights({ signal: "grad_norm_last", scheme: "proportional" }));
    expect(await weights({ scheme: "inverse" })).toEqual(
      await weights({ signal: "grad_norm_last", scheme: "inverse" }),
    );
    const byNorm = await weights({ signal: "grad_norm", scheme: "unit_gradient" });
    expect(await weights({ scheme: "unit_gradient" })).toEqual(byNorm);
    expect(byNorm).not.toEqual(await weights({ scheme: "inverse" }));
  });

  it("without a signal computes the one it weighs by, and needs its label", async () => {
    const answer = await score({ samples, signals: ["margin"], weighting: { scheme: "rank" } });
    expect(answer.results[0].grad_norm_last).toEqual(expect.any(Number));
    const unlabelled = [{ ...sample, label: null }];
    expect(await score({ samples: unlabelled, weighting: { scheme: "rank" } })).toMatchObject({
      status: 422,
      code: "missing_label",
    });
  });

  it("of a dataset without a signal keeps the one it weighed by", async () => {
    const app = await testApp();
    const post = (url: string, payload: object) => app.inject({ method: "POST", url, payload });
    await post("/v1/score", { dataset: "d", samples });
    const answer = await post("/v1/datasets/d/weights", { weighting: { scheme: "rank" } });
    expect(answer.json().snapshot.provenance.weighting).toMatchObject({
      signal: "grad_norm_last",
      scheme: "rank",
    });
    await post("/v1/score", { dataset: "without", samples, signals: ["loss"], weighting: null });
    const refused = await post("/v1/datasets/without/weights", { weighting: {} });
    expect(refused.json()).toMatchObject({
      code: "unsuitable_signal",
      faults: [{ path: "/weighting/signal", message: expect.stringMatching(/all \d+ samples have: /) }],
    });
  });

  it("takes a signal or a mix, not both", async () => {
    const mix = [{ signal: "loss", share: 1 }];
    expect(await weights({ mix, signal: "loss" })).toMatchObject({
      status: 400,
      detail: "/weighting takes a signal or a mix, not both",
    });
  });
});

describe("the limit of a page", () => {
  it.each(["0x10", "1e2", "%205", "", "+5", "0", "1001", "5&limit=6"])(
    "is digits from 1 to 1000, not %j",
    async (limit) => {
      const app = await testApp();
      for (const list of ["datasets", "directions"]) {
        const answer = await app.inject(`/v1/${list}?limit=${limit}`);
        expect(answer.json()).toMatchObject({ code: "invalid_request", faults: [{ path: "limit" }] });
      }
      expect((await app.inject("/v1/datasets?limit=5")).statusCode).toBe(200);
    },
  );
});

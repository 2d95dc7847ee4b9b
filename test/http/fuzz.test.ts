import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";

/** Larger by the variable that asks for tests at full size. */
const RUNS = process.env.ASSAY_TEST_LONG === "1" ? 5000 : 300;
const SEED = 11;

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, -0, 1e308, 2 ** 53, "", " ", ".", "..", "\u0000", "\ud800", [], {}, [
    [],
  ]),
  fc.constantFrom<unknown>("constructor", "__proto__", "toString", "a".repeat(5000), "𠮷", "é".repeat(200)),
  fc.jsonValue({ maxDepth: 3 }),
);
/** A field as it should be, or something else. */
const mostly = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary }, { weight: 1, arbitrary: odd });
const optional = <T extends Record<string, fc.Arbitrary<unknown>>>(fields: T) =>
  fc.record(fields, { requiredKeys: [] });

const text = mostly(fc.string({ unit: "binary", maxLength: 30 }));
const signal = mostly(
  fc.constantFrom(
    "loss",
    "el2n",
    "grad_norm",
    "grad_norm_last",
    "margin",
    "rho",
    "influence",
    "learned",
    "aum",
  ),
);
const sample = mostly(
  optional({
    id: mostly(fc.constantFrom("a", "b", "c", "d/e", "..")),
    query: text,
    document: text,
    text,
    label: mostly(fc.constantFrom<unknown>(0, 1, 0.5, [0, 1], 3)),
    group: mostly(fc.constantFrom("g", "h")),
    reference_loss: mostly(fc.double()),
    extras: mostly(fc.dictionary(fc.string(), mostly(fc.double()))),
  }),
);
const usual = fc.record({ query: fc.string(), document: fc.string(), label: fc.constantFrom(0, 1) });
const weighting = mostly(
  optional({
    signal,
    scheme: mostly(fc.constantFrom("proportional", "inverse", "softmax", "rank", "uniform", "unit_gradient")),
    alpha: mostly(fc.double()),
    temperature: mostly(fc.double()),
    smoothing: mostly(fc.double({ min: 0, max: 1 })),
    clip: mostly(fc.double({ min: 1, max: 100 })),
    normalise: mostly(fc.constantFrom("sum", "mean")),
    role: mostly(fc.constantFrom("multiplier", "probability")),
  }),
);
const score = optional({
  model: mostly(fc.constantFrom("default", "nobody")),
  dataset: mostly(fc.constantFrom("d", "e")),
  samples: mostly(
    fc.array(fc.oneof({ weight: 3, arbitrary: usual }, { weight: 2, arbitrary: sample }), { maxLength: 5 }),
  ),
  loss: mostly(fc.constantFrom("bce", "mse", "pairwise", "listwise", "cross_entropy")),
  signals: mostly(fc.array(signal, { maxLength: 3 })),
  weighting,
  direction: mostly(fc.constantFrom("v", "w")),
  exact_fraction: mostly(fc.double({ min: 0, max: 1 })),
  precision: mostly(fc.constantFrom("fp32", "int8")),
  checkpoint: mostly(optional({ name: text, step: mostly(fc.nat()) })),
});
const name = fc.constantFrom(
  "d",
  "e",
  "nobody",
  "%2e%2e",
  "%00",
  "a%2fb",
  "%F0%A0%AE%B7",
  "%zz",
  "constructor",
);

/** Method, path and body of a request to each route that reads one, and of some to those that do not. */
const request = fc.oneof(
  fc.tuple(fc.constant("POST"), fc.constant("/v1/score"), score),
  fc.tuple(
    fc.constant("POST"),
    name.map((n) => `/v1/datasets/${n}/lookup`),
    optional({ ids: mostly(fc.array(text)) }),
  ),
  fc.tuple(
    fc.constant("POST"),
    name.map((n) => `/v1/datasets/${n}/weights`),
    optional({ weighting }),
  ),
  fc.tuple(
    fc.constant("PUT"),
    name.map((n) => `/v1/directions/${n}`),
    optional({
      kind: mostly(fc.constantFrom("loss_gradient", "mean_direction")),
      samples: mostly(fc.array(sample, { maxLength: 4 })),
    }),
  ),
  fc.tuple(
    fc.constantFrom("GET", "DELETE", "POST", "HEAD"),
    name.map((n) => `/v1/datasets/${n}/samples/${n}`),
    odd,
  ),
  fc.tuple(
    fc.constantFrom("GET", "DELETE", "PUT"),
    name.map((n) => `/v1/models/${n}?limit=${n}`),
    odd,
  ),
);
type Mangling = (json: string) => string;
const mangle = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Mangling>((json) => json) },
  {
    weight: 1,
    arbitrary: fc.nat().map(
      (at): Mangling =>
        (json) =>
          json.slice(0, at % (json.length + 1)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(), fc.string()).map(
      ([at, more]): Mangling =>
        (json) => {
          const cut = at % (json.length + 1);
          return json.slice(0, cut) + more + json.slice(cut);
        },
    ),
  },
);

describe("requests that are made up", () => {
  it(`are answered without a fault of the service: ${RUNS} of seed ${SEED}`, async () => {
    const app = await testApp();
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(
        request,
        mangle,
        fc.constantFrom(
          "application/json",
          "application/x-ndjson",
          "text/plain",
          "application/json; charset=x",
        ),
        async ([method, url, body], change, type) => {
          const response = await app.inject({
            method: method as "POST",
            url,
            headers: { "content-type": type },
            payload: change(JSON.stringify(body) ?? ""),
          });
          seen.add(response.statusCode);
          expect({ status: response.statusCode < 500, body: response.body.slice(0, 300) }).toMatchObject({
            status: true,
          });
          if (response.statusCode >= 400 && method !== "HEAD")
            expect(response.json()).toMatchObject({ status: response.statusCode, code: expect.any(String) });
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
    // Neither all refused nor all taken: the made-up requests reach what they are meant to try.
    for (const status of [200, 400, 404, 415, 422]) expect(seen).toContain(status);
  });
});

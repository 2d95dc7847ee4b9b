import { expect, it } from "vitest";
import {
  casesOf,
  type GradientCase,
  type OracleDirection,
  readGradientOracle,
  residualOf,
} from "../support/gradient-oracle.js";
import { type Json, post } from "../support/post.js";
import { startService } from "../support/service.js";

/** 240 real pairs and the edges: cut texts, repeated tokens, empty ones. */
const oracle = readGradientOracle();
const { loss_gradient, mean_direction } = oracle.directions;

/** Each signal's value by PyTorch, from its own logit, features and gradients; hard labels, `bce`. */
const EXPECTED: Readonly<Record<string, (one: GradientCase) => number>> = {
  loss: ({ logit, label }) => Math.log1p(Math.exp(label === 1 ? -logit : logit)),
  probability: pOf,
  margin: ({ logit, label }) => (2 * label - 1) * logit,
  entropy: ({ logit }) => {
    const q = 1 / (1 + Math.exp(Math.abs(logit)));
    return -q * Math.log(q) - (1 - q) * Math.log1p(-q);
  },
  confidence: ({ logit, label }) => 1 / (1 + Math.exp(label === 1 ? -logit : logit)),
  el2n: (one) => Math.abs(residualOf(one)),
  grad_norm_last: (one) => Math.abs(residualOf(one)) * Math.sqrt(one.features_squared + 1),
  grad_norm: (one) => Math.abs(residualOf(one)) * Math.sqrt(one.gram),
  sensitivity: ({ gram }) => Math.sqrt(gram),
  expected_grad_norm: (one) => 2 * pOf(one) * (1 - pOf(one)) * Math.sqrt(one.gram),
};

it("answers every signal as PyTorch's autograd does, over HTTP, padded, cold and from the cache", async () => {
  const service = await startService();
  const samples = oracle.cases.map((one) => sampleOf(one));
  const score = async (fields: object): Promise<Json> => {
    const answer = await post(service, "/v1/score", { samples, weighting: null, ...fields });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.results;
  };
  const make = async (kind: string, direction: OracleDirection): Promise<Json> => {
    const response = await fetch(`${service.url}/v1/directions/${kind}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind, samples: casesOf(oracle, direction).map(sampleOf) }),
    });
    const made = await response.json();
    expect(response.status, JSON.stringify(made)).toBe(200);
    return made;
  };

  const gradient = await make("loss_gradient", loss_gradient);
  expect(gradient).toMatchObject({ samples: 40, zero_gradients: 0, coherence: null });
  expect(gradient.norm / loss_gradient.norm).toBeCloseTo(1, 5);
  const mean = await make("mean_direction", mean_direction);
  expect(mean).toMatchObject({ samples: oracle.cases.length, zero_gradients: 0 });
  expect(mean.coherence / mean_direction.norm).toBeCloseTo(1, 5);

  const signals = Object.keys(EXPECTED);
  // Of all but `sensitivity` the logit is a part, in float32: its last digit, 1e-6 of 10, doubles in p(1 − p).
  for (const results of [await score({ signals }), await score({ signals })])
    for (const [signal, expected] of Object.entries(EXPECTED))
      expect(
        largest(results, (one, found) => (found[signal] - expected(one)) / unitOf(signal, expected(one))),
        signal,
      ).toBeLessThan(signal === "sensitivity" ? 1e-5 : 3e-5);

  const scale = (of: (one: GradientCase) => number) =>
    Math.max(...oracle.cases.map((one) => Math.abs(of(one))));
  const along = async (
    direction: string,
    expected: Readonly<Record<string, (one: GradientCase) => number>>,
  ) => {
    const results = await score({ signals: Object.keys(expected), direction });
    for (const [signal, of] of Object.entries(expected))
      expect(
        largest(results, (one, found) => (found[signal] - of(one)) / scale(of)),
        `${signal} along ${direction}`,
      ).toBeLessThan(1e-5);
  };
  await along("loss_gradient", {
    influence: ({ influence }) => influence,
    tangent: ({ tangent }) => tangent,
  });
  await along("mean_direction", {
    alignment: ({ alignment }) => alignment,
    tangent: ({ tangent_mean }) => tangent_mean,
  });
});

/** What an error is relative to: a margin passes through 0, where it is as exact as a logit is. */
function unitOf(signal: string, expected: number): number {
  return signal === "margin" ? Math.max(1, Math.abs(expected)) : expected;
}

function pOf({ logit }: GradientCase): number {
  return 1 / (1 + Math.exp(-logit));
}

function sampleOf({ id, query, document, label }: GradientCase): object {
  return document === null ? { id, text: query, label } : { id, query, document, label };
}

/** The largest magnitude of an error over the samples; NaN where one is. */
function largest(results: readonly Json[], error: (one: GradientCase, found: Json) => number): number {
  return Math.max(...oracle.cases.map((one, index) => Math.abs(error(one, results[index]))));
}

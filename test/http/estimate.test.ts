import { describe, expect, it } from "vitest";
import { testApp } from "../support/app.js";
import type { Json } from "../support/post.js";

async function estimate(payload: object): Promise<{ status: number; body: Json }> {
  const app = await testApp();
  const { statusCode, body } = await app.inject({ method: "POST", url: "/v1/estimate", payload });
  return { status: statusCode, body: JSON.parse(body) };
}

const logs = { log_p: [0, 0], log_q: [0, 0] };

describe("POST /v1/estimate", () => {
  it("weighs by inclusion probabilities, with and without the size of the population", async () => {
    const body = { values: { clicked: [1, 0, 0, 1] }, inclusion_probabilities: [0.5, 0.25, 0.25, 0.5] };
    const hajek = await estimate(body);
    expect(hajek.status).toBe(200);
    expect(hajek.body).toMatchObject({ estimator: "hajek", samples: 4 });
    expect(hajek.body.estimates[0].mean).toBeCloseTo(4 / 12, 12);
    expect(hajek.body.estimates[0].plain_mean).toBe(0.5);
    const { body: known } = await estimate({ ...body, population: 10 });
    expect(known.estimator).toBe("horvitz_thompson");
    const [{ mean, standard_error: error, interval }] = known.estimates;
    expect(mean).toBeCloseTo(0.4, 12);
    expect(error).toBeCloseTo(Math.sqrt(2 * 0.5 * 0.2 ** 2), 12);
    expect(interval).toEqual([mean - 1.96 * error, mean + 1.96 * error]);
    expect(known.diagnostics.effective_sample_size).toBeCloseTo(144 / 40, 12);
    expect(known.diagnostics.advice[0]).toContain("worth only 3.6 equally weighted ones");
  });

  it("weighs by densities, of which constants do not matter unless they are said to be right", async () => {
    const values = { x: [1, 3, 1, 3], y: [0, 1, 0, 1] };
    const more = 1000 + Math.log(3);
    const shifted = { values, log_p: [1000, more, 1000, more], log_q: [-7, -7, -7, -7] };
    const { body } = await estimate(shifted);
    expect(body.estimator).toBe("self_normalised");
    expect(body.estimates.map(({ name }: Json) => name)).toEqual(["x", "y"]);
    expect(body.estimates[0].mean).toBeCloseTo(2.5, 12);
    const exact = await estimate({
      values,
      log_p: shifted.log_p.map((p) => p - 1000),
      log_q: [0, 0, 0, 0],
      normalised: true,
    });
    expect(exact.body.estimator).toBe("importance");
    expect(exact.body.estimates[0].mean).toBeCloseTo(5, 12);
    const far = await estimate({ ...shifted, normalised: true });
    expect(far.status).toBe(400);
    expect(far.body.faults[0].path).toBe("/log_p");
  });

  it("refuses weights by which one sample, or a tail without a mean, would decide", async () => {
    const one = await estimate({ values: { x: [1, 2, 3] }, log_p: [0, 0, 50], log_q: [0, 0, 0] });
    expect(one.status).toBe(422);
    expect(one.body).toMatchObject({ code: "weights_hopeless" });
    expect(one.body.detail).toContain("One sample has 100% of the weight");
    // Quantiles of a Pareto distribution of shape 1.5, whose mean is infinite.
    const n = 4000;
    const heavy = Array.from({ length: n }, (_, i) => -1.5 * Math.log((i + 0.5) / n));
    const tail = await estimate({
      values: { x: heavy.map(() => 1) },
      log_p: heavy,
      log_q: heavy.map(() => 0),
    });
    expect(tail.status).toBe(422);
    expect(tail.body.detail).toMatch(/Pareto k̂ of the weights is 1\.\d+: above 1 the weights have no mean/);
  });

  it.each<[string, object, string]>([
    ["no probabilities", { values: { x: [1] } }, "/inclusion_probabilities"],
    [
      "both kinds",
      { values: { x: [1, 2] }, inclusion_probabilities: [1, 1], ...logs },
      "/inclusion_probabilities",
    ],
    ["half of the logarithms", { values: { x: [1] }, log_p: [0] }, "/log_q"],
    ["lists of two lengths", { values: { x: [1, 2], y: [1] }, ...logs }, "/values/y"],
    ["no values", { values: {}, ...logs }, "/values"],
    [
      "a probability of 0",
      { values: { x: [1] }, inclusion_probabilities: [0] },
      "/inclusion_probabilities/0",
    ],
    [
      "fewer members than samples",
      { values: { x: [1, 2] }, inclusion_probabilities: [1, 1], population: 1 },
      "/population",
    ],
    ["a population without probabilities", { values: { x: [1, 2] }, ...logs, population: 9 }, "/population"],
    [
      "constants without densities",
      { values: { x: [1] }, inclusion_probabilities: [1], normalised: true },
      "/normalised",
    ],
  ])("refuses %s by its place", async (_, body, path) => {
    const answer = await estimate(body);
    expect(answer.status).toBe(400);
    expect(answer.body.faults[0].path).toBe(path);
  });
});

import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import { spearman } from "../../src/importance/correlation.js";
import { drawSamples } from "../../src/scoring/batch/fraction-outputs.js";
import { brokenStore, TEST_LIMITS, testApp } from "../support/app.js";
import { type FakeRanker, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postLookup, postScore } from "../support/inject.js";

const limits = { ...TEST_LIMITS, samplesMax: 512 };
const samples = Array.from({ length: 240 }, (_, n) => ({
  id: `s${n}`,
  query: `query ${n % 40}`,
  document: `document ${n}`,
  label: n % 3 === 0 ? 1 : 0,
}));
const weighting = { signal: "grad_norm", scheme: "proportional" };
type Row = Record<string, number> & { id: string; estimated?: boolean };

/** Posts and answers the parsed body beside its status. */
async function score(app: FastifyInstance, payload: object) {
  const response = await postScore(app, payload);
  return { status: response.statusCode, ...response.json() };
}

async function appOver(ranker: FakeRanker): Promise<FastifyInstance> {
  return testApp({ rankers: fakeRankers(ranker), limits });
}

/** Norms of all samples as an exact request answers them, by id. */
async function exactNorms(): Promise<Map<string, number>> {
  const { results } = await score(await appOver(fakeRanker()), { samples, signals: ["grad_norm"] });
  return new Map(results.map((row: Row) => [row.id, row.grad_norm]));
}

const share = (results: readonly Row[]): string[] =>
  results.filter(({ estimated }) => estimated === false).map(({ id }) => id);

describe("POST /v1/score with exact_fraction", () => {
  it("runs gradients for the share alone, and estimates the rest within the stated error", async () => {
    const ranker = fakeRanker();
    const answer = await score(await appOver(ranker), {
      samples,
      signals: ["grad_norm"],
      exact_fraction: 0.3,
    });
    expect(answer.status).toBe(200);
    expect(ranker.wanted.map(({ graph }) => graph)).toEqual(["norms", "forward"]);
    expect(ranker.ran).toHaveLength(240);
    const truth = await exactNorms();
    expect(share(answer.results)).toHaveLength(72);
    const errors: number[] = [];
    for (const { id, estimated, grad_norm, grad_norm_error } of answer.results as Row[]) {
      const norm = truth.get(id) as number;
      if (estimated) errors.push(Math.abs((grad_norm as number) - norm) / (grad_norm_error as number));
      else expect([grad_norm, grad_norm_error]).toEqual([norm, 0]);
    }
    expect(errors).toHaveLength(168);
    expect(errors.filter((e) => e < 1).length / 168).toBeGreaterThan(0.55);
    expect(errors.filter((e) => e < 2).length / 168).toBeGreaterThan(0.9);
    const { exact_share: told } = answer.diagnostics;
    const sum = [...truth.values()].reduce((a, b) => a + b);
    expect(Math.abs(told.grad_norm_sum - sum)).toBeLessThan(4 * told.grad_norm_sum_error);
    expect(told.effective_sample_size_error, "the default weighting reads no estimate").toBeNull();
    expect(answer.diagnostics.advice).toContainEqual(
      expect.stringMatching(/^168 of 240 values of grad_norm are estimates, off by \d+%/),
    );
  });

  it("answers the proxy's correlations over the share, and null under 50 exact samples", async () => {
    const app = await appOver(fakeRanker());
    const signals = ["grad_norm", "grad_norm_last"];
    const enough = await score(app, { samples, signals, exact_fraction: 0.25 });
    const drawn = (enough.results as Row[]).filter(({ estimated }) => !estimated);
    expect(enough.diagnostics.exact_share).toMatchObject({ samples: 60 });
    const column = (name: string): Float64Array => Float64Array.from(drawn, (row) => row[name] as number);
    expect(enough.diagnostics.exact_share.spearman).toBe(
      spearman(column("grad_norm_last"), column("grad_norm")),
    );
    expect(enough.diagnostics.exact_share.pearson).not.toBeNull();

    const few = await score(await appOver(fakeRanker()), { samples, signals, exact_fraction: 0.2 });
    expect(few.diagnostics.exact_share).toMatchObject({ samples: 48, spearman: null, pearson: null });
    expect(few.diagnostics.advice).toContainEqual(expect.stringMatching(/48 samples, fewer than 50/));
  });

  it("draws the same share of the same samples in any order and batch, and another by another seed", async () => {
    const drawnBy = async (sent: typeof samples, seed?: number): Promise<string[]> => {
      const payload = { samples: sent, signals: ["grad_norm"], exact_fraction: 0.2, seed };
      return share((await score(await appOver(fakeRanker()), payload)).results).sort();
    };
    const first = await drawnBy(samples);
    expect(await drawnBy(samples, 0)).toEqual(first);
    expect(await drawnBy(samples.toReversed())).toEqual(first);
    const other = await drawnBy(samples, 1);
    expect(other).toHaveLength(first.length);
    expect(other).not.toEqual(first);
    // Of a smaller batch it is those with the least digests too.
    const half = new Set(await drawnBy(samples.slice(0, 120)));
    const kept = first.filter((id) => Number(id.slice(1)) < 120);
    expect(kept.filter((id) => half.has(id))).toHaveLength(Math.min(kept.length, half.size));
  });

  it("with the whole batch for a share answers what an exact request does", async () => {
    const payload = { samples, signals: ["loss", "grad_norm"], weighting };
    const exact = await score(await appOver(fakeRanker()), payload);
    const whole = await score(await appOver(fakeRanker()), { ...payload, exact_fraction: 1 });
    const { exact_share: told, ...diagnostics } = whole.diagnostics;
    expect(diagnostics).toEqual(exact.diagnostics);
    expect(whole.results.map(({ estimated, grad_norm_error, ...row }: Row) => row)).toEqual(exact.results);
    expect(share(whole.results)).toHaveLength(240);
    expect(told).toMatchObject({ samples: 240, relative_error: 0, grad_norm_sum_error: 0 });
    expect(told.effective_sample_size_error).toBeNull();
  });

  it("weighs by the estimates, with the sample size of exact norms and its error", async () => {
    const payload = { samples, signals: [], weighting, exact_fraction: 0.25 };
    const { results, diagnostics } = await score(await appOver(fakeRanker()), payload);
    const sum = results.reduce((total: number, row: Row) => total + (row.grad_norm as number), 0);
    for (const { weight, grad_norm } of results) expect(weight).toBeCloseTo(grad_norm / sum, 12);
    const flattered =
      1 / results.reduce((total: number, { weight }: Row) => total + (weight as number) ** 2, 0);
    const exact = await score(await appOver(fakeRanker()), { samples, signals: [], weighting });
    const error = diagnostics.exact_share.effective_sample_size_error;
    const size = diagnostics.effective_sample_size;
    expect(size).toBeLessThan(flattered);
    expect(Math.abs(size - exact.diagnostics.effective_sample_size)).toBeLessThan(3 * error);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.15 * size);
    expect(diagnostics.tau).toBeCloseTo(Math.sqrt(240 / size), 9);
  });

  it("weighs a mix with the estimates' ranks", async () => {
    const mix = [
      { signal: "grad_norm", share: 1 },
      { signal: "entropy", share: 1 },
    ];
    const payload = { samples, weighting: { mix, scheme: "proportional" }, exact_fraction: 0.25 };
    const { status, diagnostics } = await score(await appOver(fakeRanker()), payload);
    expect(status).toBe(200);
    expect(diagnostics.exact_share.effective_sample_size_error).toBeGreaterThan(0);
  });

  it("takes gradients that the store has, and leaves the share's figures as they are without them", async () => {
    const payload = { samples, signals: ["grad_norm"], weighting, exact_fraction: 0.25 };
    const cold = await score(await appOver(fakeRanker()), payload);
    const ranker = fakeRanker();
    const app = await appOver(ranker);
    await score(app, { samples: samples.slice(0, 100), signals: ["grad_norm"] });
    const warm = await score(app, payload);
    const drawn = share(cold.results);
    expect(share(warm.results)).toEqual(
      samples.map(({ id }) => id).filter((id, n) => n < 100 || drawn.includes(id)),
    );
    expect(warm.diagnostics.exact_share).toEqual(cold.diagnostics.exact_share);
    expect(warm.diagnostics.effective_sample_size).toBe(cold.diagnostics.effective_sample_size);
    expect(ranker.ran).toHaveLength(240);

    await score(app, { samples, signals: ["grad_norm"] });
    const known = await score(app, payload);
    expect(share(known.results), "all is known").toHaveLength(240);
    expect(known.diagnostics.exact_share).toMatchObject({ samples: 240, grad_norm_sum_error: 0 });
  });

  it("scores at least ten samples exactly, and a smaller batch whole", async () => {
    const drawnOf = async (count: number): Promise<number> => {
      const payload = { samples: samples.slice(0, count), signals: ["grad_norm"], exact_fraction: 0.01 };
      return share((await score(await appOver(fakeRanker()), payload)).results).length;
    };
    expect(await drawnOf(40)).toBe(10);
    expect(await drawnOf(7)).toBe(7);
  });

  it("scores everything where the share has too few gradients to learn from", async () => {
    // One group of two labels among many that teach a ranking loss nothing.
    const grouped = samples.map((sample, n) => ({ ...sample, group: `g${n >> 1}`, label: n === 0 ? 1 : 0 }));
    const ranker = fakeRanker();
    const payload = { samples: grouped, signals: ["grad_norm"], loss: "pairwise", exact_fraction: 0.1 };
    const { status, results } = await score(await appOver(ranker), payload);
    expect(status).toBe(200);
    expect(share(results)).toHaveLength(240);
    expect(results.filter(({ grad_norm }: Row) => (grad_norm as number) > 0)).toHaveLength(2);
    expect(ranker.wanted.map(({ graph }) => graph)).toEqual(["norms", "forward", "norms"]);
  });

  it("runs equal texts once, and takes one's gradient for the others", async () => {
    const twice = [...samples, ...samples.map((sample) => ({ ...sample, id: `${sample.id}b`, label: 1 }))];
    const ranker = fakeRanker();
    const payload = { samples: twice, signals: ["grad_norm"], exact_fraction: 0.2 };
    const { results } = await score(await appOver(ranker), payload);
    expect(ranker.ran).toHaveLength(240);
    const known = new Set(share(results).map((id) => id.replace("b", "")));
    for (const { id, estimated } of results) expect(estimated).toBe(!known.has(id.replace("b", "")));
  });

  it("remembers exact norms only, and says so", async () => {
    const app = await appOver(fakeRanker());
    const payload = { samples, dataset: "d", signals: ["loss", "grad_norm"], exact_fraction: 0.2 };
    const { results, diagnostics } = await score(app, payload);
    expect(diagnostics.advice).toContainEqual(
      expect.stringMatching(/not remembered: dataset d gets only the exact/),
    );
    const drawn = new Set(share(results));
    const ids = samples.slice(0, 100).map(({ id }) => id);
    const found = await postLookup(app, "d", ids);
    for (const row of found.json().results) {
      expect(row.loss).toBeGreaterThan(0);
      expect(row.grad_norm !== undefined).toBe(drawn.has(row.id));
    }
  });

  it("works without the store's answer", async () => {
    const app = await testApp({ store: brokenStore(), limits });
    const answer = await score(app, { samples, signals: ["grad_norm"], exact_fraction: 0.2 });
    expect(answer.status).toBe(200);
    expect(share(answer.results)).toHaveLength(48);
  });

  it("names the sample that the model fails on", async () => {
    const ranker = fakeRanker();
    const app = await appOver(ranker);
    ranker.failWith(
      new AssayError("engine_failed", { faults: [{ sample: 3, path: "", message: "is too much" }] }),
    );
    const { faults } = await score(app, { samples, signals: ["grad_norm"], exact_fraction: 0.2 });
    const texts = samples.map(({ query, document }) => ({ first: query, second: document }));
    const drawn = drawSamples(texts, { fraction: 0.2, seed: 0 });
    expect(faults).toEqual([{ path: `/samples/${drawn[3]}`, message: "is too much" }]);
  });
});

describe("POST /v1/score refuses exact_fraction", () => {
  it.each([
    ["without grad_norm", { signals: ["loss"] }, 422, "unsuitable_signal", "/exact_fraction"],
    [
      "beside another signal of gradients",
      { signals: ["grad_norm", "sensitivity"] },
      422,
      "unsuitable_signal",
      "/exact_fraction",
    ],
    ["of 0", { signals: ["grad_norm"], exact_fraction: 0 }, 400, "invalid_request", "/exact_fraction"],
    ["above 1", { signals: ["grad_norm"], exact_fraction: 1.1 }, 400, "invalid_request", "/exact_fraction"],
  ])("%s", async (_, fields, status, code, path) => {
    const answer = await score(await testApp({ limits }), { samples, exact_fraction: 0.1, ...fields });
    expect(answer).toMatchObject({ status, code });
    expect(answer.faults[0].path).toBe(path);
  });

  it("whose seed stands alone", async () => {
    const answer = await score(await testApp({ limits }), { samples, signals: ["grad_norm"], seed: 3 });
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(answer.faults[0]).toMatchObject({
      path: "/seed",
      message: "needs exact_fraction: send both, or leave it out",
    });
  });

  it("of a model without the norms graph", async () => {
    const ranker = fakeRanker({ gradientGraphs: [] });
    const answer = await score(await appOver(ranker), {
      samples,
      signals: ["grad_norm"],
      exact_fraction: 0.1,
    });
    expect(answer).toMatchObject({ status: 422, code: "unsuitable_signal" });
  });
});

import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import { testApp } from "../support/app.js";
import { type FakeModel, type FakeRanker, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import type { Json } from "../support/post.js";

const WITH_GRAPH: FakeModel = { gradientGraphs: ["attribution"] };
const PAIR = { query: "usb c", document: "USB-C cable, 2 m" };

async function appOf(model: FakeModel = WITH_GRAPH): Promise<{ app: FastifyInstance; ranker: FakeRanker }> {
  const ranker = fakeRanker(model);
  return { app: await testApp({ rankers: fakeRankers(ranker) }), ranker };
}

async function explain(app: FastifyInstance, body: object): Promise<{ status: number; body: Json }> {
  const { statusCode, body: answer } = await app.inject({
    method: "POST",
    url: "/v1/explain",
    payload: body,
  });
  return { status: statusCode, body: JSON.parse(answer) };
}

const contributionsOf = ({ pieces }: Json): number[] => pieces.map((piece: Json) => piece.contribution);
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

describe("POST /v1/explain by integrated gradients", () => {
  it("gives each token its place, its text and its share of the logit's way from the baseline", async () => {
    const { app } = await appOf();
    const { status, body } = await explain(app, { samples: [{ id: "a", ...PAIR }] });
    expect(status).toBe(200);
    const [result] = body.results;
    expect(body).toMatchObject({ model: { name: "default" }, loss: "bce", method: "integrated_gradients" });
    expect(result.pieces.map(({ part, text }: Json) => [part, text])).toEqual([
      ["query", "usb"],
      ["query", "c"],
      ["document", "USB-C"],
      ["document", "cable,"],
      ["document", "2"],
      ["document", "m"],
    ]);
    for (const [t, value] of contributionsOf(result).entries()) expect(value).toBeCloseTo(0.15 * (t + 1), 6);
    expect(sumOf(contributionsOf(result))).toBeCloseTo(result.logit - result.baseline.logit, 5);
    expect(result).toMatchObject({ id: "a", points: 16, converged: true });
    expect(result.residual).toBeLessThan(1e-5);
    expect(result).not.toHaveProperty("loss");
  });

  it("of a labelled sample sums to the loss's change too, with the loss that the score has", async () => {
    const { app } = await appOf();
    const samples = [{ ...PAIR, label: 1 }];
    const { body } = await explain(app, { samples });
    const scored = await app.inject({ method: "POST", url: "/v1/score", payload: { samples } });
    const [result] = body.results;
    expect(result.loss).toBeCloseTo(JSON.parse(scored.body).results[0].loss, 6);
    const atBaseline = Math.log1p(Math.exp(-result.baseline.logit));
    const found = result.pieces.map((piece: Json) => piece.loss_contribution);
    expect(sumOf(found)).toBeCloseTo(result.loss - atBaseline, 5);
  });

  it("of several logits explains each class, or the one that is asked for", async () => {
    const { app } = await appOf({ ...WITH_GRAPH, task: "classification", classes: 3 });
    const samples = [{ text: "fast delivery", label: 2 }];
    const [all] = (await explain(app, { samples })).body.results;
    expect(all.logits).toHaveLength(3);
    for (let k = 0; k < 3; k++) {
      const sum = sumOf(all.pieces.map((piece: Json) => piece.contributions[k]));
      expect(sum).toBeCloseTo(all.logits[k] - all.baseline.logits[k], 5);
    }
    const { body } = await explain(app, { samples, class: 2 });
    expect(body.class).toBe(2);
    expect(body.results[0].pieces.map((piece: Json) => piece.contributions)).toEqual(
      all.pieces.map((piece: Json) => [piece.contributions[2]]),
    );
  });

  it("takes more points until the tokens account for the change, and says if 400 do not suffice", async () => {
    const ranker = fakeRanker(WITH_GRAPH);
    /** A gradient that is 1 in a narrow part of the way alone, which a few points do not see as it is. */
    const narrow = (width: number): Pick<FakeRanker, "attribute"> => ({
      attribute: async (_, tokens, alphas) => ({
        logits: Float32Array.from(alphas, (alpha) => Math.min(1, Math.max(0, (alpha - 0.5) / width))),
        attributions: Float32Array.from(
          alphas.flatMap((alpha) =>
            tokens.map((__, t) => (t === 1 && alpha >= 0.5 && alpha < 0.5 + width ? 1 / width : 0)),
          ),
        ),
      }),
    });
    const of = async (width: number): Promise<Json> => {
      const app = await testApp({ rankers: fakeRankers({ ...ranker, ...narrow(width) }) });
      return (await explain(app, { samples: [{ text: "one" }] })).body.results[0];
    };
    const wide = await of(0.3);
    expect(wide.converged).toBe(true);
    expect(wide.points).toBeGreaterThan(16);
    expect(wide.residual).toBeLessThanOrEqual(0.02);
    expect(await of(1e-4)).toMatchObject({ converged: false, points: 400 });
  });
});

describe("POST /v1/explain by occlusion", () => {
  it("is what a model without the graph gets: each word's logit and loss, less those without the word", async () => {
    const { app, ranker } = await appOf({ gradientGraphs: [] });
    const { status, body } = await explain(app, { samples: [{ text: "a 😀 word", label: 0 }] });
    expect(status).toBe(200);
    expect(body.method).toBe("occlusion");
    expect(ranker.ran.map(({ first }) => first)).toEqual(["a 😀 word", " 😀 word", "a  word", "a 😀 "]);
    const scored = await app.inject({
      method: "POST",
      url: "/v1/score",
      payload: { samples: ranker.ran.map(({ first }) => ({ text: first, label: 0 })), weighting: null },
    });
    const [whole, ...without] = JSON.parse(scored.body).results;
    const [result] = body.results;
    expect(result).toMatchObject({ id: null, logit: whole.logit, loss: whole.loss });
    expect(result.pieces).toEqual(
      without.map(({ logit, loss }: Json, index: number) => ({
        ...[
          { part: "text", start: 0, end: 1, text: "a" },
          { part: "text", start: 2, end: 3, text: "😀" },
          { part: "text", start: 4, end: 8, text: "word" },
        ][index],
        contribution: whole.logit - logit,
        loss_contribution: whole.loss - loss,
      })),
    );
    expect(result).not.toHaveProperty("baseline");
  });
});

describe("POST /v1/explain refuses", () => {
  const text = "one";
  it.each([
    [
      "a method that the model has no graph for",
      { method: "integrated_gradients" },
      422,
      "unsuitable_graph",
      [],
    ],
    ["a loss of groups", { loss: "pairwise" }, 422, "unsuitable_loss", ["/loss"]],
    ["a class that the model does not have", { class: 1 }, 400, "invalid_request", ["/class"]],
    ["no samples", { samples: [] }, 400, "invalid_request", ["/samples"]],
    [
      "a label that does not suit the loss, with its place",
      { samples: [{ text }, { text, label: 7 }] },
      422,
      "unsuitable_label",
      ["/samples/1/label"],
    ],
  ])("%s", async (_, part, status, code, paths) => {
    const { app } = await appOf({ gradientGraphs: [] });
    const answer = await explain(app, { samples: [{ text }], ...part });
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(code);
    expect((answer.body.faults ?? []).map(({ path }: Json) => path)).toEqual(paths);
  });

  it("a model of many classes without the name of one", async () => {
    const { app } = await appOf({ ...WITH_GRAPH, task: "classification", classes: 20 });
    const { status, body } = await explain(app, { samples: [{ text }] });
    expect(status).toBe(400);
    expect(body.detail).toContain("20 classes, and at most 16");
    expect((await explain(app, { samples: [{ text }], class: 19 })).status).toBe(200);
  });

  it("a text on which the model fails, by the sample's place", async () => {
    const { app, ranker } = await appOf();
    ranker.failWith(
      new AssayError("engine_failed", { faults: [{ sample: 3, path: "", message: "makes the model fail" }] }),
    );
    const { status, body } = await explain(app, { samples: [{ text }] });
    expect(status).toBe(503);
    expect(body.faults[0].path).toBe("/samples/0");
  });
});

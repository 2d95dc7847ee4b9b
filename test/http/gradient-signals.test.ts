import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/port.js";
import { temporaryStore, testApp } from "../support/app.js";
import { fakeGradients, PARAMETERS } from "../support/fake-gradients.js";
import { type FakeRanker, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postLookup, postScore, postWeights } from "../support/inject.js";

const samples = [
  { id: "a", query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1, group: "q" },
  { id: "b", query: "usb c cable", document: "Garden chair", label: 0, group: "q" },
  { id: "c", query: "usb c cable", document: "HDMI cable", label: 0.25, group: "q" },
];
type Row = Record<string, number>;

/** Posts and answers the parsed body beside its status. */
async function score(app: FastifyInstance, payload: object) {
  const response = await postScore(app, payload);
  return { status: response.statusCode, ...response.json() };
}

/** ∇z of the fake's one logit, by hand. */
function gradientOf({ query, document }: (typeof samples)[number]): number[] {
  return fakeGradients({ first: query, second: document }, 1)[0] as number[];
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}

const norm = (a: readonly number[]): number => Math.hypot(...a);
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

const VECTOR = Float32Array.from({ length: PARAMETERS }, (_, p) => (p % 3) - 0.75);

/** Keeps `vector` as a direction made with the ranker's weights. */
async function keepDirection(store: Store, name: string, { model }: FakeRanker, vector = VECTOR) {
  const facts = {
    name,
    kind: "loss_gradient" as const,
    model: { name: model.name, version: model.version },
    weightsDigest: model.weightsDigest,
    gradientScope: model.gradientScope ?? "all",
    loss: "bce",
    samples: 1,
    zeroGradients: 0,
    scale: null,
    norm: norm([...vector]),
  };
  await store.writeDirection(
    facts,
    (async function* () {
      yield new Uint8Array(vector.buffer);
    })(),
  );
}

describe("POST /v1/score with the exact gradient norm", () => {
  it("is |∂ℓ/∂z|·‖∇z‖, and a new label, a soft one or another loss runs no model", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const signals = ["grad_norm", "sensitivity", "expected_grad_norm"];
    const first = await score(app, { samples, signals });
    expect(ranker.wanted.map(({ graph }) => graph)).toEqual(["norms"]);
    expect(ranker.ran).toHaveLength(3);

    const relabelled = samples.map((sample) => ({ ...sample, label: 0.7 }));
    const again = await score(app, { samples: relabelled, signals });
    const regression = await score(app, { samples, signals: ["grad_norm"], loss: "mse" });
    const ranking = await score(app, { samples, signals: ["grad_norm"], loss: "pairwise" });
    expect(ranker.ran, "relabelling runs no model").toHaveLength(3);

    for (const [index, sample] of samples.entries()) {
      const length = norm(gradientOf(sample));
      const row: Row = first.results[index];
      const p = sigmoid(row.logit as number);
      expect(row.sensitivity).toBeCloseTo(length, 5);
      expect(row.grad_norm).toBeCloseTo(Math.abs(p - sample.label) * length, 5);
      expect(row.expected_grad_norm).toBeCloseTo(2 * p * (1 - p) * length, 5);
      expect(again.results[index].grad_norm).toBeCloseTo(Math.abs(p - 0.7) * length, 5);
      const slope = 2 * Math.abs((row.logit as number) - sample.label);
      expect(regression.results[index].grad_norm).toBeCloseTo(slope * length, 4);
      expect(ranking.results[index].grad_norm).toBeGreaterThan(0);
    }
  });

  it("answers forward signals from the same outputs, and runs once more after forward ones", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    await score(app, { samples, signals: ["loss"] });
    await score(app, { samples, signals: ["grad_norm"] });
    await score(app, { samples, signals: ["loss", "entropy"] });
    await score(app, { samples, signals: ["grad_norm", "el2n"] });
    expect(ranker.wanted.map(({ graph }) => graph)).toEqual(["forward", "norms"]);
  });

  it("is √(rᵀΓr) for three logits, and the tangent that of the label's class", async () => {
    const ranker = fakeRanker({ task: "classification", classes: 3 });
    const store = await temporaryStore();
    await keepDirection(store, "d", ranker);
    const app = await testApp({ rankers: fakeRankers(ranker), store });
    const texts = [
      { text: "late parcel", label: 2 },
      { text: "refund", label: 0 },
    ];
    const payload = { samples: texts, signals: ["grad_norm", "influence", "tangent"], direction: "d" };
    const { results } = await score(app, payload);
    for (const [index, { text, label }] of texts.entries()) {
      const { probabilities, grad_norm, influence, tangent } = results[index];
      const gradients = fakeGradients({ first: text, second: null }, 3);
      const r = probabilities.map((p: number, k: number) => p - (k === label ? 1 : 0));
      const ofLoss = gradients[0]?.map((_, q) =>
        dot(
          r,
          gradients.map((gradient) => gradient[q] as number),
        ),
      ) as number[];
      expect(grad_norm).toBeCloseTo(norm(ofLoss), 4);
      expect(influence).toBeCloseTo(dot(ofLoss, [...VECTOR]), 4);
      expect(tangent).toBeCloseTo(dot(gradients[label] as number[], [...VECTOR]), 4);
    }
  });

  it("answers 422 unsuitable_signal with what a model without gradient graphs has", async () => {
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ gradientGraphs: [] })) });
    const { status, code, faults } = await score(app, { samples, signals: ["loss", "grad_norm"] });
    expect([status, code]).toEqual([422, "unsuitable_signal"]);
    expect(faults).toHaveLength(1);
    expect(faults[0].path).toBe("/signals/1");
    expect(faults[0].message).toMatch(
      /needs the graph norms, which model default lacks; available: loss, .*grad_norm_last, rho$/,
    );
  });

  it("runs in fp32 on a model whose default is int8, and answers 422 unsuitable_precision where int8 is asked for", async () => {
    const fake = fakeRanker();
    const contentDigests = { ...fake.model.contentDigests, int8: "int8" };
    const model = { ...fake.model, contentDigests, precisions: ["fp32", "int8"], precision: "int8" } as const;
    const app = await testApp({ rankers: fakeRankers({ ...fake, model }) });
    await score(app, { samples, signals: ["loss"] });
    await score(app, { samples, signals: ["loss", "grad_norm"] });
    expect(fake.wanted).toMatchObject([{ graph: "forward", precision: "int8" }, { graph: "norms" }]);
    const refused = await score(app, { samples, signals: ["grad_norm"], precision: "int8" });
    expect([refused.status, refused.code, refused.faults[0].path]).toEqual([
      422,
      "unsuitable_precision",
      "/precision",
    ]);
  });

  it("answers 422 unsuitable_signal for learned of a folder without a learned model", async () => {
    const { status, code, detail } = await score(await testApp(), { samples, signals: ["learned"] });
    expect([status, code]).toEqual([422, "unsuitable_signal"]);
    expect(detail).toMatch(/a learned model, which model default lacks/);
  });
});

describe("POST /v1/score along a direction", () => {
  async function appWithDirection() {
    const ranker = fakeRanker();
    const store = await temporaryStore();
    await keepDirection(store, "validation", ranker);
    return { ranker, store, app: await testApp({ rankers: fakeRankers(ranker), store }) };
  }

  it("answers influence, alignment and tangent, and relabelling runs no model", async () => {
    const { app, ranker } = await appWithDirection();
    const signals = ["influence", "alignment", "tangent"];
    const direction = "validation";
    const first = await score(app, { samples, signals, direction });
    const relabelled = samples.map((sample) => ({ ...sample, label: 1 - sample.label }));
    const again = await score(app, { samples: relabelled, signals, direction });
    expect(ranker.ran).toHaveLength(3);
    for (const [index, sample] of samples.entries()) {
      const along = dot(gradientOf(sample), [...VECTOR]);
      const lengths = norm(gradientOf(sample)) * norm([...VECTOR]);
      const { logit, tangent, influence, alignment } = first.results[index];
      const r = sigmoid(logit) - sample.label;
      expect(tangent).toBeCloseTo(along, 4);
      expect(influence).toBeCloseTo(r * along, 4);
      expect(alignment).toBeCloseTo((Math.sign(r) * along) / lengths, 4);
      expect(again.results[index].tangent).toBe(tangent);
      expect(again.results[index].influence).toBeCloseTo((r + 2 * sample.label - 1) * along, 4);
    }
  });

  it("keeps the outputs of two directions apart", async () => {
    const { app, ranker, store } = await appWithDirection();
    const negative = VECTOR.map((v) => -v);
    await keepDirection(store, "other", ranker, negative);
    const ofOne = await score(app, { samples, signals: ["tangent"], direction: "validation" });
    const ofOther = await score(app, { samples, signals: ["tangent"], direction: "other" });
    for (const [index, { tangent }] of ofOne.results.entries()) {
      expect(ofOther.results[index].tangent).toBeCloseTo(-tangent, 5);
    }
  });

  it("answers 404 direction_not_found for an unknown name", async () => {
    const { app } = await appWithDirection();
    const { status, code } = await score(app, { samples, signals: ["tangent"], direction: "none" });
    expect([status, code]).toEqual([404, "direction_not_found"]);
  });

  it("answers 409 direction_stale, naming both versions, where the weights are others", async () => {
    const { store } = await appWithDirection();
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ version: "fedcba9876543210" })), store });
    const { status, code, detail } = await score(app, {
      samples,
      signals: ["tangent"],
      direction: "validation",
    });
    expect([status, code]).toEqual([409, "direction_stale"]);
    expect(detail).toMatch(/default@0123456789abcdef.*default@fedcba9876543210/);
  });

  it("answers 409 direction_stale, naming both gradient scopes, where the model's gradients are of other parameters", async () => {
    const { store } = await appWithDirection();
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ gradientScope: "last:2" })), store });
    const { status, code, detail } = await score(app, {
      samples,
      signals: ["tangent"],
      direction: "validation",
    });
    expect([status, code]).toEqual([409, "direction_stale"]);
    expect(detail).toMatch(/scope "all".*of "last:2": make the direction again/);
  });

  it("says the gradient scope where a signal reads gradients, and only there", async () => {
    const ranker = fakeRanker({ gradientScope: "head" });
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const scopeOf = async (fields: object) => (await score(app, { samples, ...fields })).model.gradient_scope;
    expect(await scopeOf({ signals: ["loss"] })).toBeUndefined();
    expect(await scopeOf({ signals: ["loss", "grad_norm"] })).toBe("head");
    expect(await scopeOf({ signals: ["grad_norm"], exact_fraction: 0.5 })).toBe("head");
  });

  it("answers 422 for a trajectory over models of two gradient scopes, and says the one of all others", async () => {
    const [early, late] = [
      fakeRanker({ name: "early", gradientScope: "head" }),
      fakeRanker({ name: "late" }),
    ];
    const store = await temporaryStore();
    for (const ranker of [early, late]) await keepDirection(store, ranker.model.name, ranker);
    const app = await testApp({ rankers: fakeRankers(late, early), store });
    const at = (model: string) => ({ model, direction: model, learning_rate: 1 });
    const asked = { samples, signals: ["influence"] };
    const mixed = await score(app, { ...asked, trajectory: [at("late"), at("early")] });
    expect([mixed.status, mixed.code, mixed.faults]).toEqual([
      422,
      "unsuitable_signal",
      [{ path: "/trajectory/1/model", message: expect.stringMatching(/scope "head".* of "all"/) }],
    ]);
    const one = await score(app, { ...asked, trajectory: [at("early")] });
    expect(one.model.gradient_scope).toBe("head");
    const beside = await score(app, {
      samples,
      signals: ["influence", "grad_norm"],
      trajectory: [at("early")],
    });
    expect(beside.code).toBe("unsuitable_signal");
  });

  it.each([
    [{ signals: ["influence"] }, "missing_direction", "/signals/0"],
    [{ weighting: { signal: "tangent", scheme: "rank" } }, "missing_direction", "/weighting/signal"],
    [{ signals: ["loss"], direction: "validation" }, "unsuitable_signal", "/direction"],
  ])("answers 422 to %j: %s at %s", async (fields, code, path) => {
    const { app, ranker } = await appWithDirection();
    const answer = await score(app, { samples, ...fields });
    expect([answer.status, answer.code, answer.faults[0].path]).toEqual([422, code, path]);
    expect(ranker.ran).toHaveLength(0);
  });

  it("sums influence over the checkpoints of a trajectory by their learning rates", async () => {
    const [early, late] = [fakeRanker({ name: "early" }), fakeRanker({ name: "late" })];
    const store = await temporaryStore();
    await keepDirection(store, "then", early);
    await keepDirection(
      store,
      "now",
      late,
      VECTOR.map((v) => v * v),
    );
    const app = await testApp({ rankers: fakeRankers(late, early), store });
    const trajectory = [
      { model: "early", direction: "then", learning_rate: 0.5 },
      { model: "late", direction: "now", learning_rate: 0.25 },
    ];
    const { results } = await score(app, { samples, signals: ["influence", "loss"], trajectory });
    for (const [index, sample] of samples.entries()) {
      const step = VECTOR.map((v) => 0.5 * v + 0.25 * v * v);
      const r = sigmoid(results[index].logit) - sample.label;
      expect(results[index].influence).toBeCloseTo(r * dot(gradientOf(sample), [...step]), 4);
    }
    expect(late.wanted.map(({ graph }) => graph)).toEqual(["forward", "tangent"]);
    expect(early.wanted.map(({ graph }) => graph)).toEqual(["tangent"]);
  });

  it("answers 422 with the sample where its signal is too large, and takes no learning rate that makes it so alone", async () => {
    const { app, ranker, store } = await appWithDirection();
    const huge = VECTOR.map((v) => v * 1e36);
    await keepDirection(store, "huge", ranker, huge);
    const along = (direction: string, learning_rate: number) => ({
      trajectory: [{ model: "default", direction, learning_rate }],
    });
    for (const extra of [{}, { dataset: "d" }]) {
      const signals = ["loss", "influence"];
      const answer = await score(app, { samples, signals, ...extra, ...along("huge", 1e6) });
      expect([answer.status, answer.code]).toEqual([422, "unsuitable_signal"]);
      expect(answer.faults[0]).toEqual({
        path: "/samples/0",
        message: expect.stringMatching(/^influence is .*, which is not finite in float32/),
      });
    }
    const refused = await score(app, { samples, signals: ["influence"], ...along("validation", 1e308) });
    expect([refused.status, refused.code]).toEqual([400, "invalid_request"]);
    expect(refused.faults[0].path).toBe("/trajectory/0/learning_rate");
  });

  it("says that a direction and a trajectory are one too many for influence", async () => {
    const { app } = await appWithDirection();
    const trajectory = [{ model: "default", direction: "validation", learning_rate: 1 }];
    const both = { samples, direction: "validation", trajectory };
    const refused = await score(app, { ...both, signals: ["influence"] });
    expect([refused.status, refused.code, refused.faults[0].path]).toEqual([
      422,
      "unsuitable_signal",
      "/direction",
    ]);
    expect(refused.faults[0].message).toMatch(
      /^is not read, because influence is summed over trajectory: send one of the two/,
    );
    expect((await score(app, { ...both, signals: ["influence", "tangent"] })).status).toBe(200);
  });

  it.each([
    [{ trajectory: [{ model: "late", direction: "now", learning_rate: 1 }] }, "unsuitable_signal"],
    [
      { signals: ["influence"], trajectory: [{ model: "bare", direction: "now", learning_rate: 1 }] },
      "unsuitable_signal",
    ],
    [
      { signals: ["influence"], trajectory: [{ model: "three", direction: "now", learning_rate: 1 }] },
      "unsuitable_signal",
    ],
    [
      { signals: ["influence"], trajectory: [{ model: "late", direction: "gone", learning_rate: 1 }] },
      "direction_not_found",
    ],
    [
      { signals: ["influence"], trajectory: [{ model: "nobody", direction: "now", learning_rate: 1 }] },
      "model_not_found",
    ],
  ])("refuses %j: %s", async (fields, code) => {
    const late = fakeRanker({ name: "late" });
    const bare = fakeRanker({ name: "bare", gradientGraphs: [] });
    const three = fakeRanker({ name: "three", task: "classification", classes: 3 });
    const app = await testApp({ rankers: fakeRankers(late, bare, three) });
    expect((await score(app, { samples, ...fields })).code).toBe(code);
    expect(late.ran).toHaveLength(0);
  });
});

describe("POST /v1/score with a reference", () => {
  const held = { ...samples[0], reference_loss: 0.125 };

  it("takes the second model's loss away, whose outputs are cached too", async () => {
    // The fake's logits are of the text alone, so the two models agree.
    const [own, reference] = [fakeRanker(), fakeRanker({ name: "reference" })];
    const app = await testApp({ rankers: fakeRankers(own, reference) });
    const payload = { samples, signals: ["rho"], reference: { model: "reference" } };
    const { results } = await score(app, payload);
    expect(results.map(({ rho }: Row) => rho)).toEqual([0, 0, 0]);
    await score(app, { ...payload, samples: samples.map((sample) => ({ ...sample, label: 0 })) });
    expect([own.ran.length, reference.ran.length]).toEqual([3, 3]);
  });

  it("takes the loss that came with the sample away", async () => {
    const { results } = await score(await testApp(), { samples: [held], signals: ["loss", "rho"] });
    expect(results[0].rho).toBeCloseTo(results[0].loss - 0.125, 12);
  });

  it.each([
    [
      { samples: [held, samples[1]], signals: ["rho"] },
      422,
      "missing_reference",
      "/samples/1/reference_loss",
    ],
    [
      { samples: [held], signals: ["rho"], reference: { model: "default" } },
      422,
      "invalid_sample",
      "/samples/0/reference_loss",
    ],
    [{ samples, signals: ["loss"], reference: { model: "default" } }, 422, "unsuitable_signal", "/reference"],
    [
      { samples, signals: ["rho"], reference: { model: "three" } },
      422,
      "unsuitable_signal",
      "/reference/model",
    ],
  ] as const)("refuses %j", async (payload, status, code, path) => {
    const three = fakeRanker({ name: "three", task: "classification", classes: 3 });
    const app = await testApp({ rankers: fakeRankers(fakeRanker(), three) });
    const answer = await score(app, payload);
    expect([answer.status, answer.code, answer.faults[0].path]).toEqual([status, code, path]);
  });
});

describe("POST /v1/score under the loss of a group", () => {
  it.each(["pairwise", "listwise"])("%s gives each sample its group's loss", async (loss) => {
    const { results } = await score(await testApp(), {
      samples,
      loss,
      signals: ["loss", "grad_norm", "grad_norm_last"],
    });
    expect(new Set(results.map((row: Row) => row.loss)).size).toBe(1);
    expect(results[0].loss).toBeGreaterThan(0);
    expect(results.every((row: Row) => (row.grad_norm as number) > 0)).toBe(true);
  });

  it("says how many groups teach nothing", async () => {
    const flat = samples.map((sample) => ({ ...sample, id: `${sample.id}2`, group: "flat", label: 1 }));
    const { results, diagnostics } = await score(await testApp(), {
      samples: [...samples, ...flat],
      loss: "pairwise",
    });
    expect(diagnostics.advice.join()).toMatch(/1 of 2 groups has no two different labels: its loss/);
    expect(results.slice(3).map(({ loss }: Row) => loss)).toEqual([0, 0, 0]);
  });

  it("answers 422 invalid_sample with each sample that has no group", async () => {
    const { group: _, ...alone } = samples[1] as (typeof samples)[number];
    const { status, code, faults } = await score(await testApp(), {
      samples: [samples[0], alone],
      loss: "listwise",
    });
    expect([status, code, faults[0].path]).toEqual([422, "invalid_sample", "/samples/1/group"]);
  });

  it("answers 422 unsuitable_signal for what reads a probability", async () => {
    const { status, code, detail } = await score(await testApp(), {
      samples,
      loss: "pairwise",
      signals: ["entropy"],
    });
    expect([status, code]).toEqual([422, "unsuitable_signal"]);
    expect(detail).toMatch(/entropy has no meaning under pairwise; available: loss, grad_norm_last/);
  });
});

describe("weights of gradient signals", () => {
  const mix = [
    { signal: "grad_norm", share: 3 },
    { signal: "entropy", share: 1 },
  ];

  it("a mix averages the ranks of its signals", async () => {
    const { results } = await score(await testApp(), {
      samples,
      signals: ["loss"],
      weighting: { mix, scheme: "proportional" },
    });
    const rank = (name: string, row: Row) =>
      results.filter((other: Row) => (other[name] as number) <= (row[name] as number)).length;
    const scores = results.map((row: Row) => 3 * rank("grad_norm", row) + rank("entropy", row));
    const total = scores.reduce((a: number, b: number) => a + b);
    results.forEach((row: Row, index: number) => {
      expect(row.weight).toBeCloseTo(scores[index] / total, 12);
    });
  });

  it("unit_gradient weighs by 1 + λ/‖∇ℓ‖", async () => {
    const { results } = await score(await testApp(), {
      samples,
      weighting: {
        signal: "grad_norm",
        scheme: "unit_gradient",
        lambda: 2,
        epsilon: 1e-6,
        normalise: "mean",
      },
    });
    const raw = results.map((row: Row) => 1 + 2 / (row.grad_norm as number));
    const mean = raw.reduce((a: number, b: number) => a + b) / raw.length;
    results.forEach((row: Row, index: number) => {
      expect(row.weight).toBeCloseTo(raw[index] / mean, 9);
    });
  });

  it("a dataset is weighed by a mix and by unit_gradient as a batch is", async () => {
    const app = await testApp();
    const weigh = async (weighting: object) => postWeights(app, "d", { weighting });
    await score(app, { samples, dataset: "d", signals: ["grad_norm", "entropy"], weighting: null });
    for (const weighting of [
      { mix, scheme: "rank" },
      { signal: "grad_norm", scheme: "unit_gradient" },
    ]) {
      const ofBatch = (await score(app, { samples, weighting })).results;
      const response = await weigh(weighting);
      expect(response.statusCode).toBe(200);
      expect(response.json().snapshot.provenance.weighting).toMatchObject(weighting);
      const ids = samples.map(({ id }) => id);
      const looked = (await postLookup(app, "d", ids)).json();
      for (const [index, { weight }] of ofBatch.entries()) {
        expect(looked.results[index].weight).toBeCloseTo(weight, 5);
      }
    }
    const lacking = await weigh({ mix: [...mix, { signal: "el2n", share: 1 }], scheme: "rank" });
    expect([lacking.statusCode, lacking.json().faults[0].path]).toEqual([422, "/weighting/mix/2/signal"]);
  });

  it("of a dataset scored along two directions come with an advice, and name both", async () => {
    const ranker = fakeRanker();
    const store = await temporaryStore();
    const app = await testApp({ rankers: fakeRankers(ranker), store });
    for (const [index, sample] of samples.entries()) {
      const direction = index === 0 ? "one" : "two";
      await keepDirection(
        store,
        direction,
        ranker,
        VECTOR.map((v) => v + Math.min(index, 1)),
      );
      const signals = ["influence", "loss"];
      await score(app, { samples: [sample], dataset: "d", signals, direction, weighting: null });
    }
    const weigh = async (signal: string) => {
      const payload = { weighting: { signal, scheme: "rank" } };
      const response = await postWeights(app, "d", payload);
      const { snapshot, diagnostics } = response.json();
      return { directions: snapshot.provenance.directions, advice: diagnostics.advice.join() };
    };
    const along = await weigh("influence");
    expect(along.directions.sort()).toEqual([
      expect.stringMatching(/^one@[0-9a-f]{8}$/),
      expect.stringMatching(/^two@[0-9a-f]{8}$/),
    ]);
    expect(along.advice).toMatch(/along 2 directions, so their signals are not comparable: (one|two)@/);
    const plain = await weigh("loss");
    expect(plain.directions).toEqual([]);
    expect(plain.advice).not.toMatch(/directions/);
  });

  it.each([
    [{ mix, scheme: "unit_gradient" }, 422, "unsuitable_weighting"],
    [{ signal: "loss", scheme: "unit_gradient" }, 422, "unsuitable_weighting"],
    [{ signal: "loss", scheme: "rank", lambda: 1 }, 422, "unsuitable_weighting"],
    [{ mix: [mix[0], mix[0]], scheme: "rank" }, 422, "unsuitable_weighting"],
    [{ mix, signal: "loss", scheme: "rank" }, 400, "invalid_request"],
    [{ mix: [{ signal: "loss", share: 0 }], scheme: "rank" }, 400, "invalid_request"],
  ])("refuses %j", async (weighting, status, code) => {
    const answer = await score(await testApp(), { samples, weighting });
    expect([answer.status, answer.code]).toEqual([status, code]);
  });
});

describe("extras of a sample", () => {
  it("are named numbers, at most 64", async () => {
    const app = await testApp();
    const withExtras = (extras: object) =>
      score(app, { samples: [{ ...samples[0], extras }] }).then(({ status }) => status);
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, index]));
    expect(await withExtras(many(64))).toBe(200);
    expect(await withExtras(many(65))).toBe(400);
    expect(await withExtras({ clicks: "7" })).toBe(400);
  });
});

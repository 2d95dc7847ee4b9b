import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FactorsOfSample } from "../../src/importance/factors.js";
import { laterWeight } from "../../src/importance/later-weight.js";
import { ranksOf } from "../../src/importance/ranks.js";
import { SCHEME_RULES } from "../../src/importance/schemes.js";
import { SCHEMES } from "../../src/importance/types.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { type Normaliser, type Weighting, weigh, weighMix } from "../../src/importance/weights.js";

/** The normaliser as a store gives it back. */
function stored({ normaliser }: Weighting): Normaliser {
  return JSON.parse(JSON.stringify(normaliser));
}

function optionsOf(options: Partial<WeighOptions>): WeighOptions {
  return { ...WEIGH_DEFAULTS, scheme: "proportional", ...options };
}

const anyOptions = fc.record({
  scheme: fc.constantFrom(...SCHEMES),
  alpha: fc.constantFrom(0, 0.5, 1, 3),
  temperature: fc.double({ min: 0.1, max: 9, noNaN: true }),
  epsilon: fc.double({ min: 1e-6, max: 9, noNaN: true }),
  lambda: fc.double({ min: 0, max: 9, noNaN: true }),
  smoothing: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  clip: fc.oneof(fc.constant(null), fc.double({ min: 1, max: 30, noNaN: true })),
  normalise: fc.constantFrom("sum" as const, "mean" as const),
  base: fc.constantFrom(null, "impressions"),
  balance: fc.boolean(),
});
const anySample = fc.record({
  score: fc
    .oneof(
      fc.constantFrom(0, 1, 5e-324, 1e-300, 1e300, Number.MAX_VALUE),
      fc.integer({ min: -3, max: 3 }),
      fc.double({ min: -20, max: 20, noNaN: true }),
    )
    .map((score) => score + 0), // JSON has no −0, and toEqual tells it from 0
  other: fc.double({ noNaN: true, noDefaultInfinity: true }),
  base: fc.oneof(fc.constantFrom(0, 1e-300, 1e300), fc.integer({ min: 0, max: 9 })),
  class: fc.integer({ min: 0, max: 4 }),
});

describe("a sample that equals one of the snapshot gets its weight within 1e-12", () => {
  const snapshot = fc.tuple(fc.array(anySample, { minLength: 1, maxLength: 60 }), anyOptions);
  const close = (later: number, weight: number): void =>
    expect(Math.abs(later - weight)).toBeLessThanOrEqual(1e-12 * weight + 1e-320);

  test("under every scheme, with base, balance, smoothing, clip and either normalisation", () => {
    fc.assert(
      fc.property(snapshot, ([samples, drawn]) => {
        const options = optionsOf(drawn);
        const sign = SCHEME_RULES[options.scheme].nonNegativeOnly ? Math.abs : Number;
        const scores = Float64Array.from(samples, ({ score }) => sign(score));
        const weighting = weigh(scores, options, {
          base: options.base === null ? null : Float64Array.from(samples, ({ base }) => base),
          classes: options.balance ? Uint16Array.from(samples, (sample) => sample.class) : null,
        });
        const normaliser = stored(weighting);
        expect(normaliser).toEqual(weighting.normaliser);
        for (const [index, sample] of samples.entries()) {
          const factors: FactorsOfSample = { base: sample.base, class: sample.class };
          const later = laterWeight(normaliser, [scores[index] as number], factors);
          close(later, weighting.weights[index] as number);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("under a mix", () => {
    fc.assert(
      fc.property(snapshot, ([samples, drawn]) => {
        const scheme = drawn.scheme === "unit_gradient" ? "inverse" : drawn.scheme;
        const weighting = weighMix(
          [
            { scores: Float64Array.from(samples, ({ score }) => score), share: 3 },
            { scores: Float64Array.from(samples, ({ other }) => other), share: 1 },
          ],
          optionsOf({ ...drawn, scheme, base: null, balance: false }),
        );
        const normaliser = stored(weighting);
        for (const [index, { score, other }] of samples.entries()) {
          close(laterWeight(normaliser, [score, other]), weighting.weights[index] as number);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a later sample of its own scores", () => {
  const scores = Float64Array.of(1, 2, 3, 4);

  test.each([
    [{ scheme: "proportional" }, 2.5, 2.5 / 10],
    [{ scheme: "proportional", alpha: 2 }, 8, 64 / 30],
    [
      { scheme: "softmax", temperature: 2 },
      6,
      Math.exp(3) / [0.5, 1, 1.5, 2].reduce((s, x) => s + Math.exp(x), 0),
    ],
    [{ scheme: "inverse", epsilon: 1 }, 0, 1 / (1 / 2 + 1 / 3 + 1 / 4 + 1 / 5)],
    [{ scheme: "uniform" }, -7, 1 / 4],
    [{ scheme: "unit_gradient", lambda: 6, epsilon: 0.5 }, 0, 13 / (7 + 4 + 3 + 2.5)],
    [{ scheme: "rank" }, 2.5, 2.5 / 10],
    [{ scheme: "rank" }, 99, 4 / 10],
    [{ scheme: "rank" }, -99, 1 / 10],
    [{ smoothing: 0.5 }, 8, 0.5 * 0.8 + 0.125],
    [{ normalise: "mean" }, 8, 3.2],
    [{ clip: 1.2 }, 8, 0.3], // (1, 2, 3, 4)/10 becomes (7/60, 14/60, 0.3, 0.3 + rounding)
  ] as const)("under %j at %d", (options, score, expected) => {
    const normaliser = stored(weigh(scores, optionsOf(options)));
    expect(laterWeight(normaliser, [score])).toBeCloseTo(expected, 12);
  });

  test("is raised by the level that the clip found", () => {
    // The cap is 0.3: the 4 gives up 0.1, and t = 0.7/0.6 lifts the 3 to 0.35, so it is capped too: t = 0.4/0.3.
    const normaliser = stored(weigh(scores, optionsOf({ clip: 1.2 })));
    expect(laterWeight(normaliser, [1.5])).toBeCloseTo((0.15 * 0.4) / 0.3, 12);
  });

  test("that scores above 0 has the cap and at 0 the zeros' share, where the clip left no weight between", () => {
    const normaliser = stored(weigh(Float64Array.of(1, 0, 0, 0), optionsOf({ clip: 2 })));
    expect(laterWeight(normaliser, [1e-9])).toBe(0.5);
    expect(laterWeight(normaliser, [0])).toBeCloseTo(0.5 / 3, 14);
  });

  test("is weighed by its base, also above those of the snapshot", () => {
    const options = optionsOf({ base: "impressions" });
    const normaliser = stored(weigh(scores, options, { base: Float64Array.of(1, 1, 1, 2) }));
    expect(laterWeight(normaliser, [3], { base: 10 })).toBeCloseTo(30 / 14, 12);
    expect(laterWeight(normaliser, [3], { base: 0 })).toBe(0);
  });

  test("is weighed by its class, and a class of its own counts as one sample's", () => {
    const options = optionsOf({ balance: true });
    const classes = Uint16Array.of(0, 0, 3, 3);
    const normaliser = stored(weigh(scores, options, { classes }));
    expect(laterWeight(normaliser, [1], { class: 3 })).toBeCloseTo(1 / 10, 12);
    for (const own of [1, 9]) expect(laterWeight(normaliser, [1], { class: own })).toBeCloseTo(2 / 10, 12);
  });

  test("is as heavy as any where neither scheme nor base counted", () => {
    const options = optionsOf({ base: "impressions" });
    const normaliser = stored(weigh(scores, options, { base: new Float64Array(4) }));
    expect(laterWeight(normaliser, [100], { base: 7 })).toBe(0.25);
  });

  test("is finite, however far beyond the snapshot it is", () => {
    fc.assert(
      fc.property(anyOptions, anySample, fc.array(anySample, { minLength: 1 }), (drawn, sample, samples) => {
        const options = optionsOf({ ...drawn, balance: false });
        const sign = SCHEME_RULES[options.scheme].nonNegativeOnly ? Math.abs : Number;
        const weighting = weigh(
          Float64Array.from(samples, ({ score }) => sign(score)),
          options,
          {
            base: options.base === null ? null : Float64Array.from(samples, ({ base }) => base),
          },
        );
        for (const score of [0, 1e308, sample.score, -1e308].map(sign)) {
          const later = laterWeight(stored(weighting), [score], { base: sample.base });
          expect(Number.isFinite(later)).toBe(true);
          expect(later).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("ranks by quantiles of 20,000 samples", () => {
  const count = 20_000;
  /** Heavy-tailed values with a tenth of them tied at 0 and values in runs of ties. */
  const column = (seed: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => {
      const u = ((i * 7919 + seed) % count) / count;
      if (u < 0.1) return 0;
      return u < 0.4 ? Math.round(u * 50) : Math.tan(1.57 * (u - 0.3));
    });
  const rankError = (count - 1) / 1024;

  test("give the weight of an equal sample within the stated bound, and most far within", () => {
    const scores = column(1);
    const weighting = weigh(scores, optionsOf({ scheme: "rank", normalise: "mean" }));
    const normaliser = stored(weighting);
    expect(JSON.stringify(normaliser).length).toBeLessThan(30_000);
    const total = (count * (count + 1)) / 2;
    const errors = Array.from(scores, (score, index) =>
      Math.abs(laterWeight(normaliser, [score]) - (weighting.weights[index] as number)),
    );
    expect(Math.max(...errors)).toBeLessThan((rankError * count) / total);
    expect(Math.max(...errors)).toBeLessThan(1 / 500);
    expect(errors.filter((error) => error > 1e-4).length).toBeLessThan(count / 2);
  });

  test("keep the bound for any size and ties", () => {
    const sized = fc.tuple(fc.integer({ min: 1026, max: 4000 }), fc.integer({ min: 2, max: 4000 }));
    fc.assert(
      fc.property(sized, ([size, distinct]) => {
        const scores = Float64Array.from({ length: size }, (_, i) => ((i * 7919) % distinct) ** 3);
        const normaliser = stored(weigh(scores, optionsOf({ scheme: "rank" })));
        const total = (size * (size + 1)) / 2;
        for (const [index, rank] of ranksOf(scores).entries()) {
          const later = laterWeight(normaliser, [scores[index] as number]) * total;
          expect(Math.abs(later - rank)).toBeLessThan((size - 1) / 1024);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("give the mean rank of a mix within the stated bound", () => {
    const [a, b] = [column(1), column(977)];
    const options = optionsOf({ smoothing: 0.1 });
    const weighting = weighMix(
      [
        { scores: a, share: 2 },
        { scores: b, share: 1 },
      ],
      options,
    );
    const normaliser = stored(weighting);
    // The raw weight is the mean rank over the largest one, and weights divide it by the total.
    const peak = normaliser.scheme.scheme === "proportional" ? normaliser.scheme.peak : 0;
    const bound = (0.9 * (1 / 1024)) / peak / normaliser.total;
    for (let index = 0; index < count; index += 1) {
      const later = laterWeight(normaliser, [a[index] as number, b[index] as number]);
      expect(Math.abs(later - (weighting.weights[index] as number))).toBeLessThan(bound);
    }
  });

  test("rise with the value", () => {
    const normaliser = stored(weigh(column(3), optionsOf({ scheme: "rank" })));
    const values = Array.from({ length: 5000 }, (_, i) => -1 + i / 500);
    const ranks = values.map((value) => laterWeight(normaliser, [value]));
    for (const [index, rank] of ranks.slice(1).entries()) {
      expect(rank).toBeGreaterThanOrEqual((ranks[index] as number) * (1 - 1e-14));
    }
  });
});

describe("a programmer's error", () => {
  const plain = weigh(Float64Array.of(1, 2), optionsOf({})).normaliser;
  const multiplied = weigh(Float64Array.of(1, 2), optionsOf({ base: "impressions", balance: true }), {
    base: Float64Array.of(1, 2),
    classes: Uint16Array.of(0, 1),
  }).normaliser;

  test.each([
    [plain, [], {}, "takes 1 values, not 0"],
    [plain, [1, 2], {}, "takes 1 values, not 2"],
    [plain, [Number.NaN], {}, "a score is not finite"],
    [plain, [-1], {}, "proportional takes scores of at least 0"],
    [multiplied, [1], { class: 0 }, "the sample has no base"],
    [multiplied, [1], { base: -1, class: 0 }, "a base must be finite and at least 0, not -1"],
    [multiplied, [1], { base: 1 }, "the sample has no class"],
    [multiplied, [1], { base: 1, class: 0.5 }, "a class must be an index from 0, not 0.5"],
  ] as const)("is a RangeError %#", (normaliser, values, factors, message) => {
    expect(() => laterWeight(normaliser, values, factors)).toThrow(RangeError);
    expect(() => laterWeight(normaliser, values, factors)).toThrow(message);
  });
});

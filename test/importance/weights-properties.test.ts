import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SCHEME_RULES } from "../../src/importance/schemes.js";
import { SCHEMES, type SchemeName } from "../../src/importance/types.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { multiplierOf, weigh } from "../../src/importance/weights.js";

/** Magnitudes from the smallest subnormal to near the largest double, zeros, ties and everyday figures. */
const magnitude = fc.oneof(
  fc.constantFrom(0, 5e-324, 1e-310, 1e-300, 1, 1e300, Number.MAX_VALUE),
  fc.integer({ min: 0, max: 4 }),
  fc.double({ min: 0, max: 20, noNaN: true }),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
);
const signed = fc.tuple(magnitude, fc.boolean()).map(([s, negative]) => (negative ? -s : s));

interface Weighed {
  readonly scores: readonly number[];
  readonly options: WeighOptions;
}

function anyWeighing(fixed: Partial<WeighOptions> = {}, schemes: readonly SchemeName[] = SCHEMES) {
  return fc.constantFrom(...schemes).chain((scheme): fc.Arbitrary<Weighed> => {
    const score = SCHEME_RULES[scheme].nonNegativeOnly ? magnitude : signed;
    return fc.record({
      scores: fc.array(score, { minLength: 1, maxLength: 60 }),
      options: fc
        .record({
          alpha: fc.oneof(fc.constantFrom(0, 0.5, 1, 2, 1000), fc.double({ min: 0, max: 50, noNaN: true })),
          temperature: fc.oneof(
            fc.constantFrom(1e-300, 1, 1e300),
            fc.double({ min: 0.01, max: 9, noNaN: true }),
          ),
          epsilon: fc.oneof(
            fc.constantFrom(5e-324, 1e-6, 1, 1e300),
            fc.double({ min: 1e-9, max: 9, noNaN: true }),
          ),
          lambda: fc.oneof(fc.constantFrom(0, 5e-324, 1, 1e300), fc.double({ min: 0, max: 9, noNaN: true })),
          smoothing: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
          clip: fc.oneof(
            fc.constantFrom(null, 1, Number.MAX_VALUE),
            fc.double({ min: 1, max: 70, noNaN: true }),
          ),
          normalise: fc.constantFrom("sum" as const, "mean" as const),
        })
        .map((drawn) => ({ ...WEIGH_DEFAULTS, ...drawn, scheme, ...fixed })),
    });
  });
}

function weightsOf({ scores, options }: Weighed): Float64Array {
  return weigh(Float64Array.from(scores), options).weights;
}

/** Sum by halves: another way than the code's, and as exact as is needed to judge it. */
function total(weights: Float64Array): number {
  if (weights.length <= 8) return weights.reduce((sum, w) => sum + w, 0);
  const half = weights.length >> 1;
  return total(weights.subarray(0, half)) + total(weights.subarray(half));
}

describe("for any finite scores, huge, tiny or all zero", () => {
  test("sum-1 weights lie in [0, 1] and sum to 1", () => {
    fc.assert(
      fc.property(anyWeighing({ normalise: "sum" }), (weighed) => {
        const weights = weightsOf(weighed);
        expect(weights.every((w) => w >= 0 && w <= 1)).toBe(true);
        expect(Math.abs(total(weights) - 1)).toBeLessThanOrEqual(1e-12);
      }),
      { numRuns: 1000 },
    );
  });

  test("mean-1 weights are at least 0 and have mean 1", () => {
    fc.assert(
      fc.property(anyWeighing({ normalise: "mean" }), (weighed) => {
        const weights = weightsOf(weighed);
        expect(weights.every((w) => w >= 0)).toBe(true);
        expect(Math.abs(total(weights) / weights.length - 1)).toBeLessThanOrEqual(1e-12);
      }),
      { numRuns: 1000 },
    );
  });

  test("no weight exceeds clip times the mean after normalising", () => {
    const clipped = anyWeighing({ normalise: "mean" }).filter(({ options }) => options.clip !== null);
    fc.assert(
      fc.property(clipped, (weighed) => {
        const cap = (weighed.options.clip as number) * (1 + 1e-12);
        expect(Math.max(...weightsOf(weighed))).toBeLessThanOrEqual(cap);
      }),
      { numRuns: 1000 },
    );
  });

  test("a larger score never weighs less, under inverse and unit_gradient never more, and equal scores weigh the same", () => {
    fc.assert(
      fc.property(anyWeighing(), (weighed) => {
        const weights = weightsOf(weighed);
        const ascending = [...weighed.scores.entries()]
          .sort(([, a], [, b]) => a - b)
          .map(([index, score]) => ({ score, weight: weights[index] as number }));
        for (const [index, { score, weight }] of ascending.slice(1).entries()) {
          const before = ascending[index] as (typeof ascending)[number];
          const [low, high] = ["inverse", "unit_gradient"].includes(weighed.options.scheme)
            ? [weight, before.weight]
            : [before.weight, weight];
          // Math.pow is not monotone in its last digit.
          expect(low).toBeLessThanOrEqual(high * (1 + 1e-14));
          if (score === before.score) expect(weight).toBe(before.weight);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("shuffled scores give shuffled weights", () => {
    const shuffled = anyWeighing().chain((weighed) =>
      fc.tuple(
        fc.constant(weighed),
        fc.shuffledSubarray([...weighed.scores.keys()], {
          minLength: weighed.scores.length,
          maxLength: weighed.scores.length,
        }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([weighed, order]) => {
        const weights = weightsOf(weighed);
        const moved = weightsOf({
          ...weighed,
          scores: order.map((index) => weighed.scores[index] as number),
        });
        for (const [place, index] of order.entries()) {
          const weight = weights[index] as number;
          // A subnormal weight has no 1e-12 of itself to spare.
          expect(Math.abs((moved[place] as number) - weight)).toBeLessThanOrEqual(1e-12 * weight + 1e-320);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("multipliers undo the probabilities: N p · 1/(N p) is 1 wherever a sample can be drawn", () => {
    fc.assert(
      fc.property(anyWeighing({ role: "probability", normalise: "sum" }), ({ scores, options }) => {
        const { weights } = weigh(Float64Array.from(scores), options);
        for (const p of weights) {
          const multiplier = multiplierOf(p, scores.length);
          if (p * scores.length < 1e-307) continue;
          expect(p * scores.length * (multiplier as number)).toBeCloseTo(1, 12);
        }
      }),
    );
  });

  test("diagnostics are finite: effective sample size in [1, N], tau at least 1, largest weight as given", () => {
    fc.assert(
      fc.property(anyWeighing(), ({ scores, options }) => {
        const { weights, diagnostics } = weigh(Float64Array.from(scores), options);
        const { effectiveSampleSize, tau, maxWeight, pareto } = diagnostics;
        expect(effectiveSampleSize).toBeGreaterThanOrEqual(1 - 1e-12);
        expect(effectiveSampleSize).toBeLessThanOrEqual(scores.length * (1 + 1e-12));
        expect(tau).toBeGreaterThanOrEqual(1 - 1e-12);
        expect(maxWeight).toBeCloseTo(Math.max(...weights), 12);
        expect(pareto.k === null || Number.isFinite(pareto.k)).toBe(true);
        expect(pareto.k === null).toBe(pareto.reason !== null);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what each step keeps", () => {
  const everyday = fc.array(fc.double({ min: 1e-3, max: 20, noNaN: true }), { minLength: 2, maxLength: 60 });

  test("smoothing moves every weight towards 1/N and none past it", () => {
    const mixed = fc.tuple(
      anyWeighing({ clip: null, smoothing: 0, normalise: "mean" }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(mixed, ([weighed, smoothing]) => {
        const before = weightsOf(weighed);
        const after = weightsOf({ ...weighed, options: { ...weighed.options, smoothing } });
        for (const [index, w] of before.entries()) {
          expect(after[index]).toBeCloseTo((1 - smoothing) * w + smoothing, 10);
        }
      }),
    );
  });

  test("the clip keeps the ratios of what stays under it, and moves nothing when nothing exceeds it", () => {
    fc.assert(
      fc.property(everyday, fc.double({ min: 1, max: 5, noNaN: true }), (scores, clip) => {
        const options = { ...WEIGH_DEFAULTS, scheme: "proportional", normalise: "mean" } as const;
        const free = weightsOf({ scores, options });
        const capped = weightsOf({ scores, options: { ...options, clip } });
        const raised = [...capped.entries()].filter(([, w]) => w < clip * (1 - 1e-9));
        const factors = raised.map(([index, w]) => w / (free[index] as number));
        for (const factor of factors) {
          expect(factor).toBeGreaterThanOrEqual(1 - 1e-12);
          expect(factor).toBeCloseTo(factors[0] as number, 9);
        }
        if (Math.max(...free) <= clip) {
          for (const [index, w] of free.entries()) expect(capped[index]).toBeCloseTo(w, 12);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each(["proportional", "rank", "uniform"] as const)(
    "%s does not depend on the unit of the scores",
    (scheme) => {
      fc.assert(
        fc.property(everyday, fc.constantFrom(2 ** -900, 2 ** 900), (scores, unit) => {
          const options = { ...WEIGH_DEFAULTS, scheme };
          const inUnits = scores.map((s) => s * unit);
          expect(weightsOf({ scores: inUnits, options })).toEqual(weightsOf({ scores, options }));
        }),
      );
    },
  );

  test("softmax does not depend on the scores' zero", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 1 }), (scores) => {
        const options = { ...WEIGH_DEFAULTS, scheme: "softmax" } as const;
        const moved = scores.map((s) => s + 2 ** 40);
        expect(weightsOf({ scores: moved, options })).toEqual(weightsOf({ scores, options }));
      }),
    );
  });
});

test("a million weights still sum to 1 within 1e-12", () => {
  const scores = Float64Array.from({ length: 1_000_000 }, (_, i) => (i % 1000) ** 3 + 1e-9);
  const { weights } = weigh(scores, { ...WEIGH_DEFAULTS, scheme: "proportional", clip: 3, smoothing: 0.1 });
  expect(Math.abs(total(weights) - 1)).toBeLessThanOrEqual(1e-12);
});

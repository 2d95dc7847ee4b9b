import { describe, expect, test } from "vitest";
import { distributionOf } from "../../src/importance/distribution.js";
import type { SchemeName, SchemeParameters } from "../../src/importance/schemes.js";
import { computeSignals } from "../../src/importance/signals.js";
import { suitableSignals } from "../../src/importance/suitability.js";
import type { Label, LossName, SignalName } from "../../src/importance/types.js";
import { WEIGH_DEFAULTS } from "../../src/importance/weigh-options.js";
import { weigh } from "../../src/importance/weights.js";
import { readOracle } from "../support/oracle.js";

interface SignalCase {
  readonly loss: LossName;
  readonly logits: readonly number[];
  readonly label: Label;
  readonly features_squared: number;
  readonly expected: Readonly<Partial<Record<SignalName, number>>> & {
    readonly probabilities?: readonly number[];
  };
}

interface WeightCase {
  readonly scores: readonly number[];
  readonly scheme: SchemeName;
  readonly parameters: Partial<SchemeParameters>;
  readonly smoothing: number;
  readonly clip: number | null;
  readonly normalise: "sum" | "mean";
  readonly expected: {
    readonly weights: readonly number[];
    readonly multipliers?: readonly (number | null)[];
    readonly effective_sample_size: number;
    readonly tau: number;
  };
}

const signalCases = readOracle<{ cases: readonly SignalCase[] }>("signals").cases;
const weightCases = readOracle<{ cases: readonly WeightCase[] }>("weights").cases;

describe("signals agree with PyTorch to a relative 1e-6", () => {
  test.each(byLoss())("$loss: $count samples", ({ loss, cases }) => {
    for (const { logits, label, features_squared, expected } of cases) {
      const names = suitableSignals(loss);
      const batch = {
        logits: Float64Array.from(logits),
        featureNormsSquared: Float64Array.of(features_squared),
        classes: logits.length,
      };
      const columns = computeSignals(batch, [label], loss, names);
      for (const name of names) {
        const where = `${name} of ${JSON.stringify({ logits, label })}`;
        expectClose(columns.get(name)?.[0], expected[name] ?? null, 1e-6, where);
      }
      for (const [k, p] of (expected.probabilities ?? []).entries()) {
        expectClose(distributionOf(logits).probabilities[k], p, 1e-6, `p[${k}] of ${logits}`);
      }
    }
  });
});

describe("weights agree with numpy to a relative 1e-9", () => {
  test("the fixture holds every scheme", () => {
    expect(new Set(weightCases.map(({ scheme }) => scheme)).size).toBe(5);
  });

  test.each(weightCases)(
    "$scheme $parameters, smoothing $smoothing, clip $clip, $normalise of $scores",
    (c) => {
      const { expected } = c;
      const { weights, diagnostics } = weigh(Float64Array.from(c.scores), {
        ...WEIGH_DEFAULTS,
        ...c.parameters,
        scheme: c.scheme,
        smoothing: c.smoothing,
        clip: c.clip,
        normalise: c.normalise,
      });
      for (const [index, weight] of expected.weights.entries()) {
        expectClose(weights[index], weight, 1e-9, `weight ${index}`);
      }
      expectClose(
        diagnostics.effectiveSampleSize,
        expected.effective_sample_size,
        1e-9,
        "effective sample size",
      );
      expectClose(diagnostics.tau, expected.tau, 1e-9, "tau");
    },
  );

  test.each(weightCases.filter(({ expected }) => expected.multipliers !== undefined))(
    "multipliers of $scheme $parameters, smoothing $smoothing, clip $clip of $scores",
    (c) => {
      const { multipliers } = weigh(Float64Array.from(c.scores), {
        ...WEIGH_DEFAULTS,
        ...c.parameters,
        role: "probability",
        scheme: c.scheme,
        smoothing: c.smoothing,
        clip: c.clip,
      });
      for (const [index, multiplier] of (c.expected.multipliers ?? []).entries()) {
        expectClose(multipliers?.[index], multiplier, 1e-9, `multiplier ${index}`);
      }
    },
  );
});

function byLoss() {
  return (["bce", "cross_entropy", "mse"] as const).map((loss) => {
    const cases = signalCases.filter((c) => c.loss === loss);
    if (cases.length === 0) throw new Error(`the fixture holds no ${loss}`);
    return { loss, cases, count: cases.length };
  });
}

/** Both null, or within `tolerance` of each other relative to the expected figure. */
function expectClose(
  actual: number | null | undefined,
  expected: number | null,
  tolerance: number,
  where: string,
): void {
  if (expected === null || actual === null || actual === undefined) {
    expect(actual, where).toBe(expected);
    return;
  }
  const message = `${where}: ${actual}, and the oracle says ${expected}`;
  expect(Math.abs(actual - expected), message).toBeLessThanOrEqual(tolerance * Math.abs(expected));
}

import { describe, expect, test } from "vitest";
import { distributionOf } from "../../src/importance/distribution.js";
import type { SchemeParameters } from "../../src/importance/schemes.js";
import { computeSignals } from "../../src/importance/signals/compute.js";
import { suitableSignals } from "../../src/importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../src/importance/signals/table.js";
import type { GroupLossName, Label, LossName, SchemeName, SignalName } from "../../src/importance/types.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { multiplierOf, type Weighting, weigh } from "../../src/importance/weights.js";
import { readOracle } from "../support/oracle.js";

interface SignalCase {
  readonly loss: LossName;
  readonly logits: readonly number[];
  readonly label: Label;
  readonly features_squared: number;
  readonly gram: readonly number[];
  readonly tangent: readonly number[];
  readonly direction_norm: number;
  readonly reference_loss: number;
  readonly expected: Readonly<Partial<Record<SignalName, number>>> & {
    readonly probabilities?: readonly number[];
  };
}

/** A batch under a group loss, one logit a sample. */
interface GroupCase {
  readonly loss: GroupLossName;
  readonly groups: readonly string[];
  readonly logits: readonly number[];
  readonly labels: readonly Label[];
  readonly features_squared: readonly number[];
  readonly gram: readonly number[];
  readonly tangent: readonly number[];
  readonly direction_norm: number;
  readonly reference_loss: readonly number[];
  readonly expected: Readonly<Partial<Record<SignalName, readonly (number | null)[]>>>;
}

interface WeightCase {
  readonly scores: readonly number[];
  readonly scheme: SchemeName;
  readonly parameters: Partial<SchemeParameters>;
  readonly smoothing: number;
  readonly clip: number | null;
  readonly normalise: "sum" | "mean";
  readonly base: readonly number[] | null;
  readonly classes: readonly number[] | null;
  readonly expected: {
    readonly weights: readonly number[];
    readonly multipliers?: readonly (number | null)[];
    readonly effective_sample_size: number;
    readonly tau: number;
  };
}

const cases = readOracle<{ cases: readonly (SignalCase | GroupCase)[] }>("signals").cases;
const signalCases = cases.filter((one): one is SignalCase => !("groups" in one));
const groupCases = cases.filter((one): one is GroupCase => "groups" in one);
const weightCases = readOracle<{ cases: readonly WeightCase[] }>("weights").cases;

describe("signals agree with PyTorch to a relative 1e-6", () => {
  test.each(byLoss())("$loss: $count samples", ({ loss, cases }) => {
    for (const one of cases) {
      const { logits, label, expected } = one;
      const names = computable(loss);
      const batch = {
        logits: Float64Array.from(logits),
        featureNormsSquared: Float64Array.of(one.features_squared),
        gram: Float64Array.from(one.gram),
        tangent: Float64Array.from(one.tangent),
        classes: logits.length,
      };
      const columns = computeSignals(batch, [label], loss, names, {
        directionNorm: one.direction_norm,
        referenceLosses: [one.reference_loss],
      });
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

describe("signals of groups agree with PyTorch to a relative 1e-6", () => {
  test.each(groupCases)("$loss of $labels in $groups at $logits", (one) => {
    const names = computable(one.loss);
    const batch = {
      logits: Float64Array.from(one.logits),
      featureNormsSquared: Float64Array.from(one.features_squared),
      gram: Float64Array.from(one.gram),
      tangent: Float64Array.from(one.tangent),
      classes: 1,
    };
    const columns = computeSignals(batch, one.labels, one.loss, names, {
      groups: one.groups,
      directionNorm: one.direction_norm,
      referenceLosses: one.reference_loss,
    });
    expect(Object.keys(one.expected).sort()).toEqual(names.toSorted());
    for (const name of names) {
      for (const [index, expected] of (one.expected[name] ?? []).entries()) {
        expectClose(columns.get(name)?.[index], expected, 1e-6, `${name} of sample ${index}`);
      }
    }
  });
});

describe("weights agree with numpy to a relative 1e-9", () => {
  test("the fixture holds every scheme", () => {
    expect(new Set(weightCases.map(({ scheme }) => scheme)).size).toBe(6);
  });

  test.each(weightCases)(
    "$scheme $parameters, smoothing $smoothing, clip $clip, $normalise of $scores, base $base, classes $classes",
    (c) => {
      const { expected } = c;
      const { weights, diagnostics } = weighCase(c, { normalise: c.normalise });
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
    "multipliers of $scheme $parameters, smoothing $smoothing, clip $clip of $scores, base $base, classes $classes",
    (c) => {
      const { weights } = weighCase(c, { role: "probability" });
      for (const [index, multiplier] of (c.expected.multipliers ?? []).entries()) {
        expectClose(
          multiplierOf(weights[index] as number, weights.length),
          multiplier,
          1e-9,
          `multiplier ${index}`,
        );
      }
    },
  );
});

function weighCase(c: WeightCase, use: Partial<WeighOptions>): Weighting {
  const { scheme, parameters, smoothing, clip, base, classes } = c;
  const factors = { base: base && Float64Array.from(base), classes: classes && Uint16Array.from(classes) };
  const named = { base: base && "impressions", balance: classes !== null };
  const options = { ...WEIGH_DEFAULTS, ...parameters, ...named, ...use, scheme, smoothing, clip };
  return weigh(Float64Array.from(c.scores), options, factors);
}

function byLoss() {
  return (["bce", "cross_entropy", "mse"] as const).map((loss) => {
    const cases = signalCases.filter((c) => c.loss === loss);
    if (cases.length === 0) throw new Error(`the fixture holds no ${loss}`);
    return { loss, cases, count: cases.length };
  });
}

/** What has a meaning under the loss and a formula: `learned` comes from the model's folder. */
function computable(loss: LossName): SignalName[] {
  return suitableSignals(loss).filter(
    (name) => name !== "learned" && !SIGNAL_TABLE[name].reads.includes("history"),
  );
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

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distributionOf } from "../../../src/importance/distribution.js";
import { targetOf } from "../../../src/importance/labels.js";
import { crossEntropy } from "../../../src/importance/losses.js";
import { computeSignals } from "../../../src/importance/signals/compute.js";
import { suitableSignals } from "../../../src/importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../../src/importance/signals/table.js";
import type { Label, LossName, SignalName } from "../../../src/importance/types.js";

/** Every signal that the forward graph gives and that suits the loss, of one sample with ‖h‖² = 3. */
function signalsOf(logits: readonly number[], label: Label, loss: LossName) {
  const batch = {
    logits: Float64Array.from(logits),
    featureNormsSquared: Float64Array.of(3),
    classes: logits.length,
  };
  const columns = computeSignals(batch, [label], loss, ofForward(loss));
  return (name: SignalName): number | null => columns.get(name)?.[0] as number | null;
}

/** Signals that read no gradient. */
function ofForward(loss: LossName): SignalName[] {
  return suitableSignals(loss).filter((name) => SIGNAL_TABLE[name].reads.length === 0);
}

describe("one logit under bce", () => {
  test("at z = 0 and y = 1 the signals are those of a coin", () => {
    const of = signalsOf([0], 1, "bce");
    expect(of("loss")).toBeCloseTo(Math.LN2, 14);
    expect(of("probability")).toBe(0.5);
    expect(of("margin")).toBe(0);
    expect(of("entropy")).toBeCloseTo(Math.LN2, 14);
    expect(of("confidence")).toBe(0.5);
    expect(of("el2n")).toBe(0.5);
    expect(of("grad_norm_last")).toBe(0.5 * 2);
  });

  test("a soft label y = 1/4 at p = 3/4 has no margin and the rest by hand", () => {
    const of = signalsOf([Math.log(3)], 0.25, "bce");
    expect(of("loss")).toBeCloseTo(0.25 * Math.log(4 / 3) + 0.75 * Math.log(4), 14);
    expect(of("confidence")).toBeCloseTo(0.25 * 0.75 + 0.75 * 0.25, 14);
    expect(of("el2n")).toBeCloseTo(0.5, 14);
    expect(of("margin")).toBeNull();
  });

  test("the margin is positive when the logit takes the label's side", () => {
    expect(signalsOf([2], 1, "bce")("margin")).toBe(2);
    expect(signalsOf([2], 0, "bce")("margin")).toBe(-2);
  });

  test("probability is sigmoid(z) whatever the label", () => {
    for (const label of [0, 1, 0.3, null]) {
      expect(signalsOf([Math.log(3)], label, "bce")("probability")).toBeCloseTo(0.75, 14);
    }
  });

  test("a logit of 1000 gives the loss of a wrong label in full and that of a right one as 0", () => {
    expect(signalsOf([1e3], 0, "bce")("loss")).toBe(1000);
    expect(signalsOf([1e3], 1, "bce")("loss")).toBe(0);
    expect(signalsOf([-1e3], 0, "bce")("el2n")).toBe(0);
  });

  test("a saturated right answer keeps the digits of its tiny gradient", () => {
    expect(signalsOf([40], 1, "bce")("el2n")).toBeCloseTo(Math.exp(-40), 30);
    expect(signalsOf([40], 1, "bce")("el2n")).toBeGreaterThan(0);
  });
});

describe("three logits under cross_entropy", () => {
  const logits = [0, Math.log(2), Math.log(5)]; // p = 1/8, 2/8, 5/8

  test("a class index gives the signals by hand", () => {
    const of = signalsOf(logits, 1, "cross_entropy");
    expect(of("loss")).toBeCloseTo(Math.log(4), 14);
    expect(of("probability")).toBeCloseTo(0.25, 14);
    expect(of("confidence")).toBeCloseTo(0.25, 14);
    expect(of("margin")).toBeCloseTo(Math.log(2) - Math.log(5), 14);
    expect(of("entropy")).toBeCloseTo(
      Math.log(8) / 8 + (2 * Math.log(4)) / 8 + (5 * Math.log(8 / 5)) / 8,
      14,
    );
    const residual = Math.hypot(1 / 8, 2 / 8 - 1, 5 / 8);
    expect(of("el2n")).toBeCloseTo(residual, 14);
    expect(of("grad_norm_last")).toBeCloseTo(2 * residual, 14);
  });

  test("probabilities as a label give a loss and a confidence, and neither margin nor probability", () => {
    const of = signalsOf(logits, [0.5, 0.5, 0], "cross_entropy");
    expect(of("loss")).toBeCloseTo(0.5 * Math.log(8) + 0.5 * Math.log(4), 14);
    expect(of("confidence")).toBeCloseTo(0.5 / 8 + 1 / 8, 14);
    expect(of("el2n")).toBeCloseTo(Math.hypot(3 / 8, 2 / 8, 5 / 8), 14);
    expect(of("margin")).toBeNull();
    expect(of("probability")).toBeNull();
  });

  test("probabilities rounded to three digits are divided by their sum", () => {
    const rounded = signalsOf([1, 2, 3], [0.333, 0.333, 0.333], "cross_entropy");
    const exact = signalsOf([1, 2, 3], [1 / 3, 1 / 3, 1 / 3], "cross_entropy");
    expect(rounded("loss")).toBeCloseTo(exact("loss") as number, 14);
    expect(rounded("el2n")).toBeCloseTo(exact("el2n") as number, 14);
  });

  test("without a label only the entropy has a value", () => {
    const of = signalsOf(logits, null, "cross_entropy");
    expect(ofForward("cross_entropy").filter((name) => of(name) !== null)).toEqual(["entropy"]);
  });
});

describe("one logit under mse", () => {
  test("loss is the squared difference without a half, and the gradient twice the difference", () => {
    const of = signalsOf([3], 1, "mse");
    expect(of("loss")).toBe(4);
    expect(of("grad_norm_last")).toBe(4 * 2);
  });

  test("a signal of probabilities is refused", () => {
    const batch = { logits: Float32Array.of(1), featureNormsSquared: Float32Array.of(1), classes: 1 };
    expect(() => computeSignals(batch, [1], "mse", ["entropy"])).toThrow("entropy does not suit mse");
  });
});

describe("a batch", () => {
  const batch = {
    logits: Float32Array.of(1, -2, 3),
    featureNormsSquared: Float32Array.of(0, 1, 2),
    classes: 1,
  };

  test("mixes labelled and unlabelled samples, with null where the label is wanted", () => {
    const columns = computeSignals(batch, [1, null, 0.5], "bce", ["loss", "probability", "margin"]);
    expect([...columns.keys()]).toEqual(["loss", "probability", "margin"]);
    expect(columns.get("loss")?.map((value) => value === null)).toEqual([false, true, false]);
    expect(columns.get("probability")?.map((value) => value === null)).toEqual([false, false, false]);
    expect(columns.get("margin")).toEqual([1, null, null]);
  });

  test("reads each sample's own logits and features", () => {
    const together = computeSignals(batch, [1, 0, 1], "bce", ofForward("bce"));
    for (const [index, label] of [1, 0, 1].entries()) {
      const alone = computeSignals(
        {
          logits: batch.logits.subarray(index, index + 1),
          featureNormsSquared: batch.featureNormsSquared.subarray(index, index + 1),
          classes: 1,
        },
        [label],
        "bce",
        ofForward("bce"),
      );
      for (const name of ofForward("bce")) expect(together.get(name)?.[index]).toBe(alone.get(name)?.[0]);
    }
  });

  test.each([
    ["labels of another length", batch, [1], "bce", "1 labels, 3 logits of 1 classes, 3 feature norms"],
    ["a loss for several logits", batch, [1, 1, 1], "cross_entropy", "cross_entropy does not suit 1 logits"],
    ["a label out of range", batch, [1, 2, 1], "bce", "label 1: bce takes a label from 0 to 1, not 2"],
    [
      "a logit that is not finite",
      { ...batch, logits: Float32Array.of(1, Number.NaN, 1) },
      [1, 1, 1],
      "bce",
      "a logit is not finite",
    ],
    [
      "a feature norm that is not finite",
      { ...batch, featureNormsSquared: Float32Array.of(1, Infinity, 1) },
      [1, 1, 1],
      "bce",
      "a feature norm is not finite",
    ],
  ] as const)("refuses %s", (_, given, labels, loss, message) => {
    expect(() => computeSignals(given, labels, loss, ["loss"])).toThrow(message);
  });
});

describe("for any float32 logits", () => {
  const logit = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ min: -50, max: 50, noNaN: true }),
  );
  const hard = fc.constantFrom(0, 1);
  const binaryLabel = fc.oneof(hard, fc.double({ min: 0, max: 1, noNaN: true }));

  test("every signal of one logit is finite and within its range", () => {
    fc.assert(
      fc.property(logit, binaryLabel, (z, label) => {
        const of = signalsOf([z], label, "bce");
        const inUnitInterval = (["probability", "confidence", "el2n"] as const).map((name) => of(name));
        for (const value of inUnitInterval) expect(value).toSatisfy((v: number) => v >= 0 && v <= 1);
        expect(of("entropy")).toSatisfy((v: number) => v >= 0 && v <= Math.LN2 + 1e-15);
        expect(of("loss")).toSatisfy((v: number) => v >= 0 && v < Infinity);
        expect(of("grad_norm_last")).toSatisfy((v: number) => v >= 0 && v <= 2);
      }),
    );
  });

  test("every signal of several logits is finite and within its range", () => {
    const sample = fc
      .array(logit, { minLength: 2, maxLength: 6 })
      .chain((logits) => fc.tuple(fc.constant(logits), fc.nat(logits.length - 1)));
    fc.assert(
      fc.property(sample, ([logits, label]) => {
        const of = signalsOf(logits, label, "cross_entropy");
        expect(of("probability")).toBe(of("confidence"));
        expect(of("confidence")).toSatisfy((v: number) => v >= 0 && v <= 1);
        expect(of("el2n")).toSatisfy((v: number) => v >= 0 && v <= Math.SQRT2 + 1e-15);
        expect(of("entropy")).toSatisfy((v: number) => v >= 0 && v <= Math.log(logits.length) + 1e-14);
        expect(of("loss")).toSatisfy((v: number) => v >= 0 && v < Infinity);
        expect(of("margin")).toSatisfy(Number.isFinite);
      }),
    );
  });

  test("one logit z is the second of the two logits 0 and z", () => {
    fc.assert(
      fc.property(logit, hard, (z, label) => {
        const one = signalsOf([z], label, "bce");
        const two = signalsOf([0, z], label, "cross_entropy");
        for (const name of ["loss", "entropy", "confidence", "margin"] as const) {
          expect((one(name) as number) + 0).toBe((two(name) as number) + 0); // + 0: −0 is 0
        }
        expect(two("el2n")).toBeCloseTo(Math.SQRT2 * (one("el2n") as number), 12);
      }),
    );
  });

  test("for one logit and hard labels, loss, el2n and −margin rank samples identically", () => {
    // Beyond a logit of 12 or so el2n meets 1 − 1e-16, and no double is left to tell two samples apart.
    const moderate = fc.tuple(fc.float({ min: -12, max: 12, noNaN: true }), hard);
    fc.assert(
      fc.property(moderate, moderate, ([z, y], [other, otherLabel]) => {
        const a = signalsOf([z], y, "bce");
        const b = signalsOf([other], otherLabel, "bce");
        const lead = (of: typeof a, than: typeof b, name: SignalName) =>
          (of(name) as number) - (than(name) as number);
        fc.pre(Math.abs(lead(b, a, "margin")) > 1e-6);
        const order = Math.sign(lead(b, a, "margin"));
        expect(Math.sign(lead(a, b, "loss"))).toBe(order);
        expect(Math.sign(lead(a, b, "el2n"))).toBe(order);
      }),
      { numRuns: 1000 },
    );
  });

  test("the gradient is the slope of the loss", () => {
    const logits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(logits, fc.double({ min: 0, max: 1, noNaN: true }), (z, share) => {
        const classes = z.length;
        const spread = z.map((_, k) => (k === 0 ? share : (1 - share) / (classes - 1)));
        const target = targetOf(classes === 1 ? share : spread, classes);
        const lossAt = (logits: readonly number[]) =>
          crossEntropy(distributionOf(logits), target, classes).loss;
        const { gradient } = crossEntropy(distributionOf(z), target, classes);
        const step = 1e-5;
        for (const k of z.keys()) {
          const moved = (by: number) => lossAt(z.map((value, j) => (j === k ? value + by : value)));
          expect(gradient[k]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 8);
        }
      }),
    );
  });
});

import { describe, expect, test } from "vitest";
import { isHard, labelFault } from "../../../src/importance/labels.js";
import { computeSignals } from "../../../src/importance/signals/compute.js";
import { labelNeed, suitableLosses, suitableSignals } from "../../../src/importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../../src/importance/signals/table.js";
import type { Label, LossName, SignalName } from "../../../src/importance/types.js";

/** Signals that `computeSignals` computes. */
function withFormula(loss: LossName): SignalName[] {
  return suitableSignals(loss).filter((name) => SIGNAL_TABLE[name].formula !== null);
}

describe("what a signal asks", () => {
  test("where a logit is no probability, only losses, gradients and what is learned have a meaning", () => {
    const meaningful = [
      "loss",
      "grad_norm_last",
      "grad_norm",
      "sensitivity",
      "influence",
      "alignment",
      "tangent",
      "rho",
      "learned",
    ];
    for (const loss of ["mse", "pairwise", "listwise"] as const) {
      expect(suitableSignals(loss)).toEqual(meaningful);
    }
  });

  test("one logit takes bce, mse and the losses of groups, several take cross_entropy", () => {
    expect(suitableLosses(1)).toEqual(["bce", "mse", "pairwise", "listwise"]);
    expect(suitableLosses(2)).toEqual(["cross_entropy"]);
  });

  test.each([
    { loss: "bce", logits: [0.7], hard: 1, soft: 0.4 },
    { loss: "mse", logits: [0.7], hard: 1, soft: 0.4 },
    { loss: "pairwise", logits: [0.7], hard: 1, soft: 0.4 },
    { loss: "cross_entropy", logits: [0.7, -1, 2], hard: 2, soft: [0.2, 0.3, 0.5] },
  ] as const)("the table agrees with what $loss computes", ({ loss, logits, hard, soft }) => {
    const classes = logits.length;
    const given: Label[] = [null, soft, hard];
    const batch = {
      logits: Float64Array.from(given.flatMap(() => logits)),
      featureNormsSquared: Float64Array.of(1, 1, 1),
      gram: new Float64Array(3 * classes * classes).fill(1),
      tangent: new Float64Array(3 * classes).fill(1),
      classes,
    };
    const columns = computeSignals(batch, given, loss, withFormula(loss), {
      groups: ["a", "b", "c"],
      directionNorm: 1,
      referenceLosses: [1, 1, 1],
    });
    const needOf = { "false,false,false": "none", "true,false,false": "any", "true,true,false": "hard" };
    for (const [name, column] of columns) {
      const lacking = column.map((value) => value === null).join() as keyof typeof needOf;
      expect(needOf[lacking], name).toBe(labelNeed(name, classes));
    }
  });

  test("a signal that the table calls non-negative is so for a wrong, confident answer", () => {
    const batch = {
      logits: Float64Array.of(9),
      featureNormsSquared: Float64Array.of(1),
      gram: Float64Array.of(4),
      tangent: Float64Array.of(-1),
      classes: 1,
    };
    const context = { directionNorm: 2, referenceLosses: [10] };
    for (const [name, column] of computeSignals(batch, [0], "bce", withFormula("bce"), context)) {
      expect((column[0] as number) >= 0, name).toBe(SIGNAL_TABLE[name].nonNegative);
    }
  });
});

describe("a label", () => {
  test.each([
    [0, "bce", 1],
    [1, "bce", 1],
    [0.5, "bce", 1],
    [-7.5, "mse", 1],
    [-7.5, "pairwise", 1],
    [3, "listwise", 1],
    [0, "listwise", 1],
    [2, "cross_entropy", 3],
    [[0.2, 0.3, 0.5], "cross_entropy", 3],
    [[0.333, 0.333, 0.333], "cross_entropy", 3],
    [null, "bce", 1],
    [null, "cross_entropy", 3],
  ] as const)("%j suits %s of %i logits", (label, loss, classes) => {
    expect(labelFault(label, loss, classes)).toBeNull();
  });

  test.each([
    [3, "bce", 1, "rescale a rating, such as 0 to 3, by dividing it by its maximum"],
    [-0.1, "bce", 1, "from 0 to 1, not -0.1"],
    [Number.NaN, "bce", 1, "finite"],
    [Infinity, "mse", 1, "finite"],
    [[1], "mse", 1, "one number"],
    [[1], "pairwise", 1, "one number"],
    [Infinity, "pairwise", 1, "finite"],
    [-1, "listwise", 1, "a grade of at least 0, not -1"],
    [[0, 1], "bce", 1, "one number"],
    [3, "cross_entropy", 3, "a class index from 0 to 2 or 3 probabilities, not 3"],
    [-1, "cross_entropy", 3, "a class index"],
    [0.5, "cross_entropy", 3, "a class index"],
    [[0.5, 0.5], "cross_entropy", 3, "the model has 3 classes, but the label has 2 probabilities"],
    [[0.5, 0.6, -0.1], "cross_entropy", 3, "each of a label's probabilities"],
    [[0.5, Number.NaN, 0.5], "cross_entropy", 3, "each of a label's probabilities"],
    [[0.5, 0.2, 0.2], "cross_entropy", 3, "must sum to 1, not 0.8999999999999999"],
  ] as const)("%j under %s of %i logits has a fault that says what to do", (label, loss, classes, words) => {
    expect(labelFault(label, loss, classes)).toContain(words);
  });

  test("is hard when it names one class", () => {
    expect([0, 1].every((label) => isHard(label, 1))).toBe(true);
    expect([0.5, null].some((label) => isHard(label, 1))).toBe(false);
    expect(isHard(2, 3)).toBe(true);
    expect(isHard([0, 0, 1], 3)).toBe(false);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distributionOf } from "../../../src/importance/distribution.js";
import { isHard, targetOf } from "../../../src/importance/labels.js";
import { addLogits } from "../../../src/importance/logit-totals.js";
import { computeSignals } from "../../../src/importance/signals/compute.js";
import { HISTORY_SIGNALS, historySignals } from "../../../src/importance/signals/history.js";
import { labelNeed } from "../../../src/importance/signals/suitability.js";
import {
  HISTORY_SIGNAL_NAMES,
  type Label,
  type LossName,
  type SignalName,
} from "../../../src/importance/types.js";

const lossOf = (classes: number): LossName => (classes === 1 ? "bce" : "cross_entropy");

/** The signals of (C, K) logits, of which the first `merged` are only in the totals. */
function signalsOf(
  rows: readonly (readonly number[])[],
  label: Label,
  merged = 0,
): Partial<Record<SignalName, number>> {
  const classes = rows[0]?.length ?? 1;
  const totals = merged === 0 ? null : addLogits(null, rows.slice(0, merged).flat(), classes);
  const logits = rows.slice(merged).flat();
  const found = historySignals({ classes, logits, merged: totals }, label, lossOf(classes));
  return Object.fromEntries(found?.names.map((name, index) => [name, found.values[index]]) ?? []);
}

/** The same from the papers' definitions, checkpoint by checkpoint. */
function byDefinition(rows: readonly (readonly number[])[], label: Exclude<Label, null>) {
  const classes = (rows[0] as readonly number[]).length;
  const target = targetOf(label, classes);
  const confidences = rows.map((row) =>
    target.reduce((sum, y, k) => sum + y * (distributionOf(row).probabilities[k] as number), 0),
  );
  const mean = average(confidences);
  const deviation = Math.sqrt(average(confidences.map((each) => (each - mean) ** 2)));
  if (!isHard(label, classes))
    return { mean_confidence: mean, variability: classes === 1 ? deviation : undefined };
  const batch = {
    logits: Float64Array.from(rows.flat()),
    featureNormsSquared: new Float64Array(rows.length),
    classes,
  };
  const labels = rows.map(() => label);
  const margins = computeSignals(batch, labels, lossOf(classes), ["margin"]).get("margin") as number[];
  const right = rows.map((row) => {
    const z = classes === 1 ? [0, row[0] as number] : row;
    return z.indexOf(Math.max(...z)) === label;
  });
  const forgotten = right.filter((isRight, index) => isRight && right[index + 1] === false).length;
  return { mean_confidence: mean, variability: deviation, aum: average(margins), forgetting: forgotten };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const float32 = fc.float({ min: -30, max: 30, noNaN: true });

describe("the signals of a history", () => {
  test("of one logit 2, −1, 0, 3 under y = 1 are those by hand", () => {
    const rows = [[2], [-1], [0], [3]];
    const p = rows.map(([z]) => 1 / (1 + Math.exp(-(z as number))));
    const signals = signalsOf(rows, 1);
    expect(signals.mean_confidence).toBeCloseTo(average(p), 14);
    expect(signals.variability).toBeCloseTo(
      Math.sqrt(average(p.map((each) => (each - average(p)) ** 2))),
      14,
    );
    expect(signals.aum).toBe(1);
    expect(signals.forgetting).toBe(1); // 2 → −1; at 0 the prediction is still class 0
    expect(signalsOf(rows, 0)).toMatchObject({ aum: -1, forgetting: 1 }); // 0 → 3
  });

  test.each([
    ["one logit and a hard label", 1, fc.constantFrom<Label>(0, 1)],
    ["one logit and a soft label", 1, fc.double({ min: 0, max: 1, noNaN: true }) as fc.Arbitrary<Label>],
    ["three logits and a hard label", 3, fc.constantFrom<Label>(0, 1, 2)],
    ["three logits and a soft label", 3, fc.constantFrom<Label>([0.2, 0.3, 0.5], [0, 0.5, 0.5])],
  ])("of %s are those of the papers, however many checkpoints are merged", (_, classes, labels) => {
    const rows = fc.array(fc.array(float32, { minLength: classes, maxLength: classes }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(rows, labels, fc.nat(20), (logits, label, merged) => {
        const expected = byDefinition(logits, label as Exclude<Label, null>);
        const signals = signalsOf(logits, label, Math.min(merged, logits.length));
        for (const name of HISTORY_SIGNAL_NAMES) {
          const value = expected[name as keyof typeof expected];
          if (value === undefined) expect(signals).not.toHaveProperty(name);
          else expect(Math.abs((signals[name] as number) - value), name).toBeLessThan(2e-7);
        }
      }),
    );
  });

  test("need the labels that the table says", () => {
    const needOf = { "false,false,false": "none", "true,false,false": "any", "true,true,false": "hard" };
    for (const [rows, soft] of [
      [[[0.5], [-1]], 0.3],
      [[[0.5, 1, 2]], [0.1, 0.2, 0.7]],
    ] as const) {
      const given = [null, soft, 1].map((label) => signalsOf(rows, label as Label));
      for (const name of HISTORY_SIGNAL_NAMES) {
        const lacking = given.map((signals) => signals[name] === undefined).join() as keyof typeof needOf;
        expect(needOf[lacking], name).toBe(labelNeed(name, rows[0].length));
      }
    }
  });

  test("are non-negative where the table says so", () => {
    const signals = signalsOf([[-4], [3], [-9]], 1);
    for (const name of HISTORY_SIGNAL_NAMES)
      expect((signals[name] as number) >= 0, name).toBe(HISTORY_SIGNALS[name].nonNegative);
  });

  test("are none where logits are no probabilities, and for a label of other logits", () => {
    const history = { classes: 1, logits: [1], merged: null };
    expect(historySignals(history, 1, "mse")).toBeNull();
    expect(historySignals(history, 1, "pairwise")).toBeNull();
    expect(historySignals(history, [0.5, 0.5], "bce")).toBeNull();
    expect(historySignals(history, 7, "bce")).toBeNull();
  });
});

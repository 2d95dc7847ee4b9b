import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { groupLosses } from "../../src/importance/group-losses.js";
import { lossGradients } from "../../src/importance/loss-gradients.js";
import { computeSignals } from "../../src/importance/signals/compute.js";

const member = fc.record({
  z: fc.double({ min: -6, max: 6, noNaN: true }),
  y: fc.integer({ min: 0, max: 3 }),
  group: fc.constantFrom("a", "b", "c"),
});
const batch = fc.array(member, { minLength: 1, maxLength: 12 });
const losses = fc.constantFrom("pairwise" as const, "listwise" as const);

describe("a group of two, by hand", () => {
  test("pairwise is the logistic loss of the lead", () => {
    const [better, worse] = groupLosses([Math.log(3), 0], [1, 0], ["q", "q"], "pairwise");
    expect(better?.loss).toBeCloseTo(Math.log(4 / 3), 14);
    expect(worse?.loss).toBe(better?.loss);
    expect(better?.gradient[0]).toBeCloseTo(-1 / 4, 14);
    expect(worse?.gradient[0]).toBeCloseTo(1 / 4, 14);
  });

  test("listwise is the cross-entropy of the softmax with the grades' shares", () => {
    const [first, second] = groupLosses([Math.log(3), 0], [1, 3], ["q", "q"], "listwise");
    expect(first?.loss).toBeCloseTo(0.25 * Math.log(4 / 3) + 0.75 * Math.log(4), 14);
    expect(first?.gradient[0]).toBeCloseTo(0.75 - 0.25, 14);
    expect(second?.gradient[0]).toBeCloseTo(0.25 - 0.75, 14);
  });
});

describe("any groups", () => {
  test("the gradient is the slope of the group's loss", () => {
    fc.assert(
      fc.property(batch, losses, (members, loss) => {
        const labels = members.map(({ y }) => y);
        const groups = members.map(({ group }) => group);
        const at = (z: readonly number[]) => groupLosses(z, labels, groups, loss);
        const z = members.map((one) => one.z);
        for (const [index, one] of at(z).entries()) {
          const moved = (by: number) =>
            at(z.map((value, j) => (j === index ? value + by : value)))[index]?.loss as number;
          expect(one?.gradient[0]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 7);
        }
      }),
    );
  });

  test("each group's gradients sum to 0, for only differences count", () => {
    fc.assert(
      fc.property(batch, losses, (members, loss) => {
        const groups = members.map(({ group }) => group);
        const results = groupLosses(
          members.map(({ z }) => z),
          members.map(({ y }) => y),
          groups,
          loss,
        );
        for (const group of new Set(groups)) {
          const own = results.filter((_, index) => groups[index] === group);
          expect(own.reduce((sum, one) => sum + (one?.gradient[0] as number), 0)).toBeCloseTo(0, 12);
        }
      }),
    );
  });

  test("are scored apart, whatever stands between their samples", () => {
    const mixed = groupLosses([1, 9, 2, -3], [1, 0, 0, 2], ["a", "b", "a", "b"], "pairwise");
    const alone = groupLosses([1, 2], [1, 0], ["a", "a"], "pairwise");
    expect([mixed[0], mixed[2]]).toEqual(alone);
  });
});

describe("a group without contrast", () => {
  test.each([
    ["pairwise", [2, 2, 2]],
    ["listwise", [2, 2, 2]],
    ["listwise", [0, 0, 0]],
    ["pairwise", [1]],
    ["listwise", [1]],
  ] as const)("has loss and gradient 0 under %s of %j", (loss, labels) => {
    const groups = labels.map(() => "q");
    for (const one of groupLosses([5, -5, 0], labels, groups, loss)) {
      expect(one).toEqual({ loss: 0, gradient: [0] });
    }
  });

  test("a sample without a label takes no part", () => {
    const results = groupLosses([1, 5, 0], [1, null, 0], ["q", "q", "q"], "listwise");
    expect(results[1]).toBeNull();
    expect([results[0], results[2]]).toEqual(groupLosses([1, 0], [1, 0], ["q", "q"], "listwise"));
  });
});

test("a sample's gradient norm is its share of the group's, |∂L/∂z|·‖∇z‖", () => {
  const outputs = {
    logits: Float64Array.of(1, -1, 0.5),
    featureNormsSquared: Float64Array.of(0, 0, 0),
    gram: Float64Array.of(4, 9, 16),
    classes: 1,
  };
  const groups = ["q", "q", "q"];
  const r = lossGradients(outputs, [0, 2, 1], "pairwise", groups).map((one) => one?.gradient[0] as number);
  const norms = computeSignals(outputs, [0, 2, 1], "pairwise", ["grad_norm"], { groups }).get("grad_norm");
  expect(norms).toEqual([2, 3, 4].map((norm, index) => Math.abs(r[index] as number) * norm));
});

test("a group loss without a group is a programmer's error", () => {
  const outputs = { logits: Float64Array.of(1), featureNormsSquared: Float64Array.of(0), classes: 1 };
  expect(() => computeSignals(outputs, [1], "pairwise", ["loss"])).toThrow("needs the group");
  expect(() => computeSignals(outputs, [1], "listwise", ["loss"], { groups: [null] })).toThrow(RangeError);
});

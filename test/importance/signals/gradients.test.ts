import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distributionOf } from "../../../src/importance/distribution.js";
import { computeSignals } from "../../../src/importance/signals/compute.js";
import { alignmentOf, influenceOf } from "../../../src/importance/signals/directions.js";
import { expectedGradNorm, gradNorm } from "../../../src/importance/signals/gradients.js";
import type { Label, LogitBatch, SignalName } from "../../../src/importance/types.js";

/** Three logits of four parameters: Jacobian, gram and ⟨∇z_k, v⟩ by hand. */
const JACOBIAN = [
  [1, 0, 2, 0],
  [0, 3, 0, 0],
  [-1, 1, 1, 2],
] as const;
const DIRECTION = [2, -1, 0.5, 1] as const;
const GRAM = JACOBIAN.flatMap((row) => JACOBIAN.map((other) => dot(row, other)));
const TANGENT = JACOBIAN.map((row) => dot(row, DIRECTION));

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, x, index) => total + x * (b[index] as number), 0);
}

/** Σ_k r_k ∇z_k. */
function backward(gradient: readonly number[]): number[] {
  return DIRECTION.map((_, p) => gradient.reduce((sum, r, k) => sum + r * (JACOBIAN[k]?.[p] as number), 0));
}

const ROWS = { gram: GRAM, tangent: TANGENT };

const residual = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });

describe("of three logits, from the gram and the tangent alone", () => {
  test("the gradient's norm is that of the backward pass", () => {
    fc.assert(
      fc.property(residual, (r) => {
        expect(gradNorm(r, GRAM)).toBeCloseTo(Math.hypot(...backward(r)), 10);
      }),
    );
  });

  test("influence and alignment are the inner product and the cosine with the direction", () => {
    fc.assert(
      fc.property(residual, (r) => {
        const gradient = backward(r);
        expect(influenceOf(r, TANGENT)).toBeCloseTo(dot(gradient, DIRECTION), 10);
        const norms = Math.hypot(...gradient) * Math.hypot(...DIRECTION);
        fc.pre(norms > 1e-3);
        const cosine = dot(gradient, DIRECTION) / norms;
        expect(alignmentOf(r, ROWS, Math.hypot(...DIRECTION))).toBeCloseTo(cosine, 6);
      }),
    );
  });

  test("the expected norm is the mean over the labels that could be", () => {
    const p = distributionOf([1, -1, 0.5]);
    const ofLabel = (label: number) =>
      gradNorm(
        p.probabilities.map((q, k) => q - (k === label ? 1 : 0)),
        GRAM,
      );
    const mean = p.probabilities.reduce((sum, q, label) => sum + q * ofLabel(label), 0);
    expect(expectedGradNorm(p, GRAM, 3)).toBeCloseTo(mean, 14);
  });
});

describe("at the edge", () => {
  test("a form below 0, as rounding in float32 leaves it, is 0 and no NaN", () => {
    expect(gradNorm([1, -1], [1, 1.0000001, 1.0000001, 1])).toBe(0);
    expect(alignmentOf([1, -1], { gram: [1, 1.0000001, 1.0000001, 1], tangent: [0, 1e-9] }, 1)).toBe(0);
  });

  test("a saturated sample's gradient of 1e-200 keeps its norm and its direction", () => {
    const [r, tiny] = [
      [0.5, -1, 0.5],
      [0.5e-200, -1e-200, 0.5e-200],
    ] as const;
    expect(gradNorm(tiny, GRAM) / 1e-200).toBeCloseTo(gradNorm(r, GRAM), 12);
    expect(alignmentOf(tiny, ROWS, 3)).toBeCloseTo(alignmentOf(r, ROWS, 3), 12);
  });

  test("alignment is 0 where the gradient is 0 or the direction is, and never passes 1", () => {
    expect(alignmentOf([0], { gram: [4], tangent: [3] }, 1)).toBe(0);
    expect(alignmentOf([2], { gram: [0], tangent: [0] }, 1)).toBe(0);
    expect(alignmentOf([2], { gram: [4], tangent: [0] }, 0)).toBe(0);
    expect(alignmentOf([-0.1], { gram: [9], tangent: [3.0000003] }, 1)).toBe(-1);
  });
});

describe("relabelling", () => {
  const batch: LogitBatch = {
    logits: Float32Array.of(0.3, -2),
    featureNormsSquared: Float32Array.of(1, 1),
    gram: Float32Array.of(16, 9),
    tangent: Float32Array.of(2, -5),
    classes: 1,
  };
  const names: SignalName[] = ["grad_norm", "influence", "alignment", "tangent", "sensitivity"];
  const signalsOf = (labels: readonly Label[]) => {
    const columns = computeSignals(batch, labels, "bce", names, { directionNorm: 5 });
    return (name: SignalName) => columns.get(name);
  };

  test("changes the sign of influence and alignment and leaves what reads no label", () => {
    const [wrong, right] = [signalsOf([1, 1]), signalsOf([0, 0])];
    expect(wrong("tangent")).toEqual([2, -5]);
    expect(right("tangent")).toEqual([2, -5]);
    expect(right("sensitivity")).toEqual([4, 3]);
    expect(Math.sign(wrong("influence")?.[0] as number)).toBe(-1);
    expect(Math.sign(right("influence")?.[0] as number)).toBe(1);
    expect(right("alignment")?.[0]).toBeCloseTo(2 / (4 * 5), 7);
    expect(wrong("alignment")?.[1]).toBeCloseTo(5 / (3 * 5), 7);
  });

  test("a soft label at the model's own probability leaves no gradient", () => {
    const p = 1 / (1 + Math.exp(-Math.fround(0.3)));
    const of = signalsOf([p, null]);
    expect(of("grad_norm")?.[0]).toBeCloseTo(0, 15);
    expect(of("grad_norm")?.[1]).toBeNull();
    expect(of("tangent")?.[1]).toBe(-5);
  });
});

describe("what a signal reads and the batch lacks", () => {
  const batch: LogitBatch = {
    logits: Float32Array.of(1),
    featureNormsSquared: Float32Array.of(1),
    classes: 1,
  };

  test.each([
    ["grad_norm", "grad_norm reads a gram"],
    ["influence", "influence reads a tangent"],
    ["rho", "rho reads a reference"],
    ["learned", "learned reads a learned"],
  ] as const)("%s is refused", (name, message) => {
    expect(() => computeSignals(batch, [1], "bce", [name])).toThrow(message);
  });

  test.each([
    [{ ...batch, gram: Float32Array.of(1, 2) }, "2 entries of gram do not fit 1 samples of 1 classes"],
    [{ ...batch, tangent: new Float32Array(0) }, "0 entries of tangent do not fit 1 samples of 1 classes"],
    [{ ...batch, gram: Float32Array.of(Number.NaN) }, "a gram's entry is not finite"],
    [{ ...batch, tangent: Float32Array.of(Infinity) }, "a tangent's entry is not finite"],
  ])("a batch of the wrong shape or without numbers is refused (%#)", (wrong, message) => {
    expect(() => computeSignals(wrong, [1], "bce", ["loss"])).toThrow(message);
  });

  test("a signal without a formula is refused, and the others come in the order of their names", () => {
    expect(() => computeSignals(batch, [1], "bce", ["learned"])).toThrow("learned reads a learned");
    const columns = computeSignals(batch, [1], "bce", ["grad_norm_last", "loss"]);
    expect([...columns.keys()]).toEqual(["grad_norm_last", "loss"]);
  });
});

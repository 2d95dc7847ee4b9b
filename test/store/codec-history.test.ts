import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromFloat16, toFloat16 } from "../../src/store/codec/float16.js";
import { decodeHistory, encodeHistory } from "../../src/store/codec/history.js";
import type { SampleHistory } from "../../src/store/dataset-records.js";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const count = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Any history whose logits float16 holds. */
const histories: fc.Arbitrary<SampleHistory> = fc.integer({ min: 1, max: 5 }).chain((classes) =>
  fc
    .record({
      classes: fc.constant(classes),
      checkpoints: fc.uniqueArray(fc.integer({ min: 0, max: 4095 }), { maxLength: 16 }),
      merged: fc.option(
        fc.record({
          through: fc.integer({ min: 0, max: 4095 }),
          classes: fc.constant(classes),
          count,
          predicted: fc.integer({ min: 0, max: Math.max(1, classes - 1) }),
          left: fc.array(count, { minLength: Math.max(2, classes), maxLength: Math.max(2, classes) }),
          sums: fc.array(finite, { minLength: 3 * classes, maxLength: 3 * classes }),
        }),
      ),
    })
    .chain((history) =>
      fc
        .array(fc.integer({ min: 0, max: 0x7bff }), {
          minLength: history.checkpoints.length * classes,
          maxLength: history.checkpoints.length * classes,
        })
        .map((bits) => ({ ...history, logits: bits.map(fromFloat16) })),
    ),
);

/** A history of one logit for these checkpoints. */
function ofOneLogit(checkpoints: readonly number[], merged: SampleHistory["merged"] = null): SampleHistory {
  return { classes: 1, checkpoints, logits: checkpoints.map((_, index) => index), merged };
}

describe("the codec of histories", () => {
  test("reads what it wrote, also in the middle of other bytes", () => {
    fc.assert(
      fc.property(histories, fc.uint8Array({ maxLength: 9 }), (history, others) => {
        const bytes = encodeHistory(history);
        expect(decodeHistory(bytes)).toEqual(history);
        const inside = Buffer.concat([others, bytes, others]);
        expect(decodeHistory(inside, others.length, others.length + bytes.length)).toEqual(history);
      }),
    );
  });

  test("keeps a logit to half a unit of float16's last place", () => {
    fc.assert(
      fc.property(fc.double({ min: -60_000, max: 60_000, noNaN: true }), (z) => {
        const [read] = decodeHistory(encodeHistory({ ...ofOneLogit([0]), logits: [z] })).logits;
        expect(read).toBe(fromFloat16(toFloat16(z)));
        expect(Math.abs((read as number) - z)).toBeLessThanOrEqual(
          Math.max(2 ** -25, Math.abs(z) * 2 ** -11) * 1.001,
        );
      }),
    );
  });

  test("takes 3 bytes a checkpoint for one logit, and 2 for the rest of the history", () => {
    const first = Array.from({ length: 16 }, (_, index) => index);
    expect(encodeHistory(ofOneLogit(first))).toHaveLength(2 + 3 * 16);
    // Only the first of a dataset's late checkpoints needs a longer number.
    const late = first.map((number) => 4000 + number);
    expect(encodeHistory(ofOneLogit(late))).toHaveLength(2 + 3 * 16 + 1);
    const merged = {
      ...{ classes: 1, count: 100, predicted: 1, through: 99 },
      ...{ left: [3, 4], sums: [1, 2, 3] },
    };
    expect(encodeHistory(ofOneLogit(first, merged))).toHaveLength(2 + 3 * 16 + 5 + 24);
  });

  test("refuses bytes that are no history", () => {
    const bytes = encodeHistory(ofOneLogit([0, 1]));
    const corrupt = expect.objectContaining({ code: "store_corrupt" });
    expect(() => decodeHistory(bytes.subarray(0, -1))).toThrow(corrupt);
    expect(() => decodeHistory(Buffer.alloc(0))).toThrow(corrupt);
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    };
    expect(() => decodeHistory(changed(0, 0x20))).toThrow("unknown layout 2");
    expect(() => decodeHistory(changed(0, 0x12))).toThrow("unknown flags 2");
    expect(() => decodeHistory(changed(1, 0))).toThrow("no logits");
  });
});

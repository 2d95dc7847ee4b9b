import { describe, expect, it } from "vitest";
import { checkedGrams } from "../../../src/ranker/engine/session/grams.js";

describe("grams", () => {
  it("have no negative squares, and inner products of both signs", () => {
    expect([...checkedGrams(Float32Array.of(-1e-9, 0.5), 1)]).toEqual([0, 0.5]);
    expect([...checkedGrams(Float32Array.of(1, -2, -2, -1e-7), 2)]).toEqual([1, -2, -2, 0]);
  });

  it("are refused with their row where they overflowed", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => checkedGrams(Float32Array.of(1, 1, 1, 1, 1, bad, 1, 1), 2)).toThrow("row 1");
    }
  });
});

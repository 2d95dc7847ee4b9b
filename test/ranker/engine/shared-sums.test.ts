import { describe, expect, it } from "vitest";
import { addTo, closeSharedSums, openSharedSums } from "../../../src/ranker/engine/session/shared-sums.js";
import { placesOf } from "../../../src/ranker/parameters.js";

const parameter = { dtype: "float32" as const, offset: 0, length: 0, layout: "as_is" as const, scale: null };

/** A table of three rows that ids choose among, and a bias. */
const places = placesOf({
  architecture: { family: "bert", hidden_size: 2, vocab_size: 3 },
  parameters: [
    { ...parameter, name: "bert.embeddings.word_embeddings.weight", shape: [3, 2] },
    { ...parameter, name: "classifier.bias", shape: [1] },
  ],
});

describe("sums that threads share", () => {
  it("take whole parameters, and of the word table the rows of the ids", () => {
    const sums = openSharedSums(7, undefined);
    const vector = Float32Array.of(1, 2, 3, 4, 5, 6, 7);
    addTo(sums, vector, places, new Set([0, 2]));
    addTo(sums, vector, places, new Set([2]));
    expect([...sums.values]).toEqual([1, 2, 0, 0, 10, 12, 14]);
  });

  it("add in float64", () => {
    const sums = openSharedSums(7, undefined);
    for (const value of [2 ** 30, 1, -(2 ** 30)]) {
      addTo(sums, new Float32Array(7).fill(value), places, new Set([0]));
    }
    expect(sums.values[6]).toBe(1);
  });

  it("are closed to a batch that still runs, whose addition would be others' in the same memory", () => {
    const closed = openSharedSums(7, undefined);
    addTo(closed, new Float32Array(7).fill(1), places, new Set([0]));
    const next = openSharedSums(7, closeSharedSums(closed));
    expect(next.values).toBe(closed.values);
    addTo(closed, new Float32Array(7).fill(1), places, new Set([0]));
    expect([...next.values]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    addTo(next, new Float32Array(7).fill(2), places, new Set([1]));
    expect([...next.values]).toEqual([0, 0, 2, 2, 0, 0, 2]);
  });
});

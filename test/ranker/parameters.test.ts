import { describe, expect, it } from "vitest";
import { operandsOf, parameterCount, placesOf } from "../../src/ranker/parameters.js";

const WORDS = "bert.embeddings.word_embeddings.weight";
const parameter = (name: string, shape: number[]) => ({
  name,
  shape,
  dtype: "float32" as const,
  offset: 0,
  length: 4 * shape.reduce((product, size) => product * size, 1),
  layout: "as_is" as const,
  scale: null,
});
const layout = {
  parameters: [parameter(WORDS, [5, 2]), parameter("a", [3]), parameter("b", [2, 2])],
  architecture: { family: "bert", hidden_size: 2, vocab_size: 5 },
};

describe("a vector over the parameters", () => {
  it("has all of them without a gradient scope, and rows by id in the table of words", () => {
    expect(placesOf(layout).map(({ name, from, to, rowsById }) => [name, from, to, rowsById])).toEqual([
      [WORDS, 0, 10, true],
      ["a", 10, 13, false],
      ["b", 13, 17, false],
    ]);
    expect(placesOf({ ...layout, gradient_scope: { name: "all" } })).toEqual(placesOf(layout));
  });

  it("has those of the gradient scope alone, without a gap", () => {
    const part = { ...layout, gradient_scope: { name: "?", parameters: ["a", "b"] } };
    expect(placesOf(part).map(({ name, from, to }) => [name, from, to])).toEqual([
      ["a", 0, 3],
      ["b", 3, 7],
    ]);
    expect(parameterCount(part)).toBe(7);
    const vector = Float32Array.from({ length: 7 }, (_, index) => index);
    expect(operandsOf("gradient", part, vector)).toEqual({
      "gradient.a": { data: Float32Array.of(0, 1, 2), shape: [3] },
      "gradient.b": { data: Float32Array.of(3, 4, 5, 6), shape: [2, 2] },
    });
  });
});

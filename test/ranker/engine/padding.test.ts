import { describe, expect, it } from "vitest";
import { padBatch } from "../../../src/ranker/engine/session/padding.js";
import type { TokenisedText } from "../../../src/ranker/tokeniser.js";

function text(...ids: number[]): TokenisedText {
  return { ids: Int32Array.from(ids), typeIds: new Uint8Array(ids.length).fill(1), truncated: false };
}

const model = {
  inputs: ["input_ids", "attention_mask", "token_type_ids"] as (
    | "input_ids"
    | "attention_mask"
    | "token_type_ids"
  )[],
  padding: { id: 7, type_id: 2, side: "right" as const },
  max_tokens: 40,
};

describe("padBatch", () => {
  it("fills up to the longest row with the model's padding, and masks it", () => {
    const { shape, inputs, rows } = padBatch([text(11, 12, 13), text(21)], model, { kind: "cpu" });
    expect(rows).toBe(2);
    expect(shape).toEqual([2, 3]);
    expect([...(inputs.input_ids as BigInt64Array)].map(Number)).toEqual([11, 12, 13, 21, 7, 7]);
    expect([...(inputs.attention_mask as BigInt64Array)].map(Number)).toEqual([1, 1, 1, 1, 0, 0]);
    expect([...(inputs.token_type_ids as BigInt64Array)].map(Number)).toEqual([1, 1, 1, 1, 2, 2]);
  });

  it("gives a GPU few shapes: powers of two by steps of 32, no longer than the model takes", () => {
    const cuda = { kind: "cuda" as const, index: 0 };
    const shapes = new Set<string>();
    for (let rows = 1; rows <= 64; rows++) {
      for (let length = 1; length <= 40; length++) {
        const row = text(...Array.from({ length }, () => 5));
        const { shape } = padBatch(
          Array.from({ length: rows }, () => row),
          model,
          cuda,
        );
        expect(shape[0]).toBeGreaterThanOrEqual(rows);
        expect(shape[1]).toBeGreaterThanOrEqual(length);
        shapes.add(shape.join("×"));
      }
    }
    expect([...shapes].sort()).toEqual(
      [1, 2, 4, 8, 16, 32, 64].flatMap((rows) => [`${rows}×32`, `${rows}×40`]).sort(),
    );
  });

  it("fills a GPU's spare rows with a row that has text, and says how many count", () => {
    const { rows, shape, inputs } = padBatch([text(1), text(2), text(3)], model, { kind: "cuda", index: 0 });
    expect([rows, shape]).toEqual([3, [4, 32]]);
    const ids = [...(inputs.input_ids as BigInt64Array)].map(Number);
    expect([ids[0], ids[32], ids[64], ids[96]]).toEqual([1, 2, 3, 3]);
    expect(Number((inputs.attention_mask as BigInt64Array)[96])).toBe(1);
  });
});

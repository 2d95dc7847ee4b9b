import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ModelDescription, Text } from "../../../src/ranker/port.js";
import { outputsKeys } from "../../../src/scoring/outputs/digests.js";
import { fakeRanker } from "../../support/fake-rankers.js";
import { FP32 } from "../../support/outputs.js";

const { model } = fakeRanker();
const digestKey = Buffer.alloc(32, 7);
const pair: Text = { first: "usb c cable", second: "USB-C-Kabel, 2 m, für Köln" };

function nameOf(text: Text, key = digestKey, of: ModelDescription = model): string {
  return outputsKeys(key, of, FP32, [text]).names[0] as string;
}

describe("the key of a text's outputs", () => {
  it("is half of SHA-256 over a secret of the digest key and the model, and the text", () => {
    const secret = createHmac("sha256", digestKey).update("default-0123456789abcdef").digest("base64");
    const whole = createHash("sha256").update(`${secret}2 11\n${pair.first}${pair.second}`).digest();
    const { keys, names } = outputsKeys(digestKey, model, FP32, [pair]);
    expect(keys[0]).toEqual(whole.subarray(0, 16));
    expect(names[0]).toBe(whole.toString("latin1", 0, 16));
  });

  it("is another under another digest key, model or split of the text", () => {
    const other = { ...model, contentDigests: { fp32: "another" } };
    const names = [
      nameOf(pair),
      nameOf(pair, Buffer.alloc(32, 8)),
      nameOf(pair, digestKey, other),
      nameOf({ first: "ab", second: "c" }),
      nameOf({ first: "a", second: "bc" }),
      nameOf({ first: "abc", second: null }),
      nameOf({ first: "abc", second: "" }),
      nameOf({ first: "3\nabc", second: null }),
    ];
    expect(new Set(names).size).toBe(names.length);
  });

  it("is equal for equal texts alone", () => {
    const text = fc.record({
      first: fc.string({ maxLength: 4, unit: fc.constantFrom("1", "2", " ", "\n", "a") }),
      second: fc.option(fc.string({ maxLength: 4, unit: fc.constantFrom("1", "2", " ", "\n", "a") })),
    });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const same = a.first === b.first && a.second === b.second;
        expect(nameOf(a) === nameOf(b)).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../../src/commands/input/json-fault.js";

/** Whether `JSON.parse` takes a text. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Keys that may change a prototype. fast-check draws them on purpose, some in every thousand texts. */
const POISON = /"(__proto__|constructor|prototype)":/;

describe("strict JSON", () => {
  it("is every JSON text without repeated or poisonous keys, with the value that JSON.parse gives it", () => {
    fc.assert(
      fc.property(
        fc.json({ stringUnit: "binary" }).filter((text) => !POISON.test(text)),
        (text) => {
          expect(parseJson(text)).toEqual({ value: JSON.parse(text) });
        },
      ),
      { numRuns: 500 },
    );
  });

  it("has no key that changes a prototype", () => {
    expect(parseJson('{"__proto__":[]}')).toMatchObject({
      fault: { at: 1, message: expect.stringContaining("prototype") },
    });
  });

  it("is no text that JSON.parse refuses, and a fault has its place in the text", () => {
    const pieces = fc.constantFrom(
      ...[
        '{"',
        '"',
        '":',
        "}",
        "[",
        "]",
        ",",
        " ",
        "\\",
        "\\\\",
        '\\"',
        "\\u00",
        "a",
        "1",
        "-",
        ".5",
        "e9",
        "null",
        "\n",
      ],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        const parsed = parseJson(text);
        const fault = "fault" in parsed ? parsed.fault : null;
        const isTwice = fault?.message.endsWith("occurs twice") ?? false;
        expect(fault === null || isTwice).toBe(isJson(text));
        if (fault === null) return;
        expect(fault.at).toBeGreaterThanOrEqual(0);
        expect(fault.at).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', 7],
    ['{"a":{"b":1,"b":1}}', 12],
    ['[{"a\\u0062":"\\\\\\":","ab":1}]', 20],
  ])("is no object with a key twice: %s", (text, at) => {
    expect(parseJson(text)).toMatchObject({
      fault: { at, message: expect.stringContaining("occurs twice") },
    });
  });

  it("is nested as deep as it likes where it is right, and refused where it is not", () => {
    const deep = (closing: number): string => "[".repeat(100_000) + "]".repeat(closing);
    expect(parseJson(deep(100_000))).toHaveProperty("value");
    expect(parseJson(deep(99_999))).toMatchObject({
      fault: { message: "values are nested more than 100 levels deep" },
    });
  });
});

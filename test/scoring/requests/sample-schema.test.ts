import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlainSample, sampleSchema } from "../../../src/scoring/requests/sample-schema.js";
import { checkSchema } from "../../../src/scoring/requests/schema-faults.js";

const limits = { idBytesMax: 8, textCharsMax: 6 };
const schema = sampleSchema(limits);

/** What the schema says, in the words of the API's description. */
function isValid(sample: Readonly<Record<string, unknown>>): boolean {
  const known = ["id", "query", "document", "text", "label", "group"];
  const has = (name: string): boolean => name in sample;
  const texts = ["query", "document", "text"].filter(has);
  return (
    Object.keys(sample).every((name) => known.includes(name)) &&
    ["text", "query,document"].includes(texts.join()) &&
    texts.every((name) => isText(sample[name], 6)) &&
    ["id", "group"].filter(has).every((name) => isName(sample[name])) &&
    ![".", ".."].includes(String(sample.id)) &&
    (!has("label") || isLabel(sample.label))
  );
}

function isText(value: unknown, charsMax: number): boolean {
  return typeof value === "string" && value.isWellFormed() && [...value].length <= charsMax;
}

function isName(value: unknown): boolean {
  const isControl = (character: string): boolean =>
    character < " " || (character >= "\u007f" && character <= "\u009f");
  return (
    typeof value === "string" &&
    value.isWellFormed() &&
    value.length > 0 &&
    Buffer.byteLength(value) <= 8 &&
    ![...value].some(isControl)
  );
}

function isLabel(value: unknown): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.every((each) => Number.isFinite(each));
  return typeof value === "number" && Math.abs(value) <= 1e9;
}

const text = fc.oneof(
  fc.string({ maxLength: 9 }),
  fc.string({ maxLength: 9, unit: "binary" }),
  fc.constantFrom("", ".", "..", "\ud800", "a\u0000", "é".repeat(4), "é".repeat(5), "\u0085", "x".repeat(8)),
);
const anySample = fc.record(
  {
    id: fc.oneof(text, fc.constant(7)),
    query: text,
    document: text,
    text,
    label: fc.oneof(
      fc.constantFrom(0, 1, null, 1e9, 2e9, -2e9, "1", true),
      fc.double({ noNaN: true }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
    ),
    group: text,
    unknown: fc.constant(1),
  },
  { requiredKeys: [] },
);

const anyText = fc.oneof(
  anySample,
  anySample.map(({ query, document, ...rest }) => ({ text: "a", ...rest })),
);

describe("a sample's schema", () => {
  it("takes the samples that its description allows, unchanged, and no others", () => {
    let valid = 0;
    fc.assert(
      fc.property(anyText, (sample) => {
        const parsed = schema.safeParse(sample);
        expect({ sample, valid: parsed.success }).toEqual({ sample, valid: isValid(sample) });
        if (!parsed.success) return;
        expect(parsed.data).toEqual(sample);
        valid += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(valid).toBeGreaterThan(50);
  });

  it("takes every sample that is plainly one", () => {
    let plain = 0;
    const ids = fc.constantFrom("q1:p9", "a", "a.b", ".", "..", "é", "a b", "", "123456789");
    const short = fc.record({ id: ids, text, label: fc.constantFrom(0, 1, 2e9, -1e9, Number.NaN) });
    const named = fc.oneof(anyText, short);
    fc.assert(
      fc.property(named, (sample) => {
        if (!isPlainSample(sample, limits)) return;
        plain += 1;
        expect({ sample, valid: schema.safeParse(sample).success }).toEqual({ sample, valid: true });
      }),
      { numRuns: 20_000 },
    );
    expect(plain).toBeGreaterThan(50);
    expect(isPlainSample({ id: "q1:p9", query: "a", document: "b", label: 1 }, limits)).toBe(true);
  });

  it.each([
    [{ query: "a" }, [], "needs query and document, or text in place of both"],
    [{ text: "a", query: "b" }, [], "needs query and document, or text in place of both"],
    [{ text: "\ud800" }, ["text"], "holds a lone surrogate, which is not Unicode text"],
    [{ text: "a", id: "\u0000" }, ["id"], "holds a control character"],
    [{ text: "a", id: ".." }, ["id"], "must not be . or .., which clients remove from a URL's path"],
    [{ text: "a", group: "é".repeat(5) }, ["group"], "is longer than 8 bytes of UTF-8"],
  ])("names the fault of %j", (sample, path, message) => {
    expect(schema.safeParse(sample).error?.issues).toMatchObject([{ path, message }]);
  });
});

it("refuses a source for which a selection could have no quota", () => {
  const { faults } = checkSchema(schema, { text: "a", source: "__proto__" });
  expect(faults).toMatchObject([
    { path: "/source", message: expect.stringMatching(/must not be __proto__/) },
  ]);
  expect(isPlainSample({ text: "a", source: "__proto__" }, limits)).toBe(false);
  expect(checkSchema(schema, { text: "a", source: "proto" }).faults).toBeUndefined();
});

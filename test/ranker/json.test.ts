import { expect, test } from "vitest";
import { parseJson } from "../../src/ranker/json.js";

const parse = (text: string): unknown => parseJson(Buffer.from(text));

test("JSON is what it says, whatever its strings hold", () => {
  const value = { "[[": ['{"', "\\", '\\"[', "𠮷"], "": { a: [1e3, null, true] } };
  expect(parse(JSON.stringify(value))).toEqual(value);
  expect(parse(JSON.stringify(value, null, 2))).toEqual(value);
});

test("many arrays beside each other are no nesting", () => {
  expect(parse(`[${"[],".repeat(10_000)}[]]`)).toHaveLength(10_001);
});

test("what is nested deeper than 64 levels is refused with the member that it lies in", () => {
  const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
  expect(() => parse(nested(64))).not.toThrow();
  expect(() => parse(nested(65))).toThrow(
    expect.objectContaining({ path: "", message: "is nested deeper than 64 levels" }),
  );
  expect(() => parse(`{"a":"b[","provenance":{"x":${nested(4000)}}}`)).toThrow(
    expect.objectContaining({ path: "/provenance" }),
  );
});

test("millions of open brackets are refused before they are parsed, which would take seconds", () => {
  const bytes = Buffer.alloc(16 * 2 ** 20, "[");
  const before = process.cpuUsage();
  expect(() => parseJson(bytes)).toThrow("is nested deeper");
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
});

test("what is no JSON, or no UTF-8, is refused", () => {
  expect(() => parse("{nope")).toThrow("is not JSON");
  expect(() => parse('"\\')).toThrow("is not JSON");
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow("is not JSON");
});

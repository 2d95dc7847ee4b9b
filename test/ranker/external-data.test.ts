import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLocations } from "../../src/ranker/external-data.js";
import { SHIPPED } from "../support/model.js";

/** `location` as onnx.proto writes it: key and value, each with tag and length. */
function entry(location: string): Buffer {
  const value = Buffer.from(location);
  const length = value.length < 128 ? [value.length] : [(value.length & 127) | 128, value.length >> 7];
  return Buffer.concat([Buffer.from("\x0a\x08location\x12", "latin1"), Buffer.from(length), value]);
}

function locationsIn(bytes: Buffer, chunk: number): string[] {
  const locations = createLocations();
  for (let at = 0; at < bytes.length; at += chunk) locations.add(bytes.subarray(at, at + chunk));
  return [...locations.found()].sort();
}

test("every graph of the shipped model reads its weights from weights.bin alone", () => {
  for (const name of ["forward", "forward.int8", "norms", "tangent", "accumulate"]) {
    expect(locationsIn(readFileSync(join(SHIPPED, `${name}.onnx`)), 65_536)).toEqual(["weights.bin"]);
  }
});

test.each([1, 7, 300, 10_000])("a location is found wherever a chunk of %i bytes ends", (chunk) => {
  const long = `${"x".repeat(200)}.bin`;
  const bytes = Buffer.concat([
    Buffer.alloc(500, "location"),
    entry("first.bin"),
    Buffer.alloc(290),
    entry(long),
    entry("last"),
  ]);
  expect(locationsIn(bytes, chunk)).toEqual(["first.bin", "last", long].sort());
});

test("what only looks like the beginning of a location is none", () => {
  expect(locationsIn(entry("weights.bin").subarray(0, -1), 10)).toEqual([]);
});

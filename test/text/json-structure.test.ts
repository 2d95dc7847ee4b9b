import fc from "fast-check";
import { expect, test } from "vitest";
import { type JsonBounds, type StructureFault, structureFault } from "../../src/text/json-structure.js";

/** Few names, so that they repeat, in several spellings. Those of a prototype come with and without escapes. */
const NAME = fc.constantFrom(
  ...['"a"', '"\\u0061"', '"b"', '"c\\\\"', '"c\\":"', '""', '"é"', '"a:"', '"\\ud800"'],
  ...['"__proto__"', '"_\\u005fproto__"', '"constructor"', '"prototype"', '"\\u0070rototype"'],
);
const SCALAR = fc.constantFrom("1", "-2.5e3", "true", "null", '"a"', '"a\\":"', '"{[,"', '"\\\\"', '""');
const BLANKS = fc.constantFrom("", "", "", " ", "\n\t");

/** JSON texts of nested lists and objects. Objects of a list often have the same names in the same order. */
const { json } = fc.letrec<{ json: string; value: string; list: string; rows: string; object: string }>(
  (tie) => ({
    json: fc.tuple(BLANKS, tie("value"), BLANKS).map((parts) => parts.join("")),
    value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, SCALAR, tie("list"), tie("rows"), tie("object")),
    list: fc.array(tie("json"), { maxLength: 5 }).map((entries) => `[${entries.join(",")}]`),
    rows: fc
      .tuple(
        fc.array(NAME, { maxLength: 5 }),
        fc.array(
          fc.record({
            values: fc.array(tie("json"), { maxLength: 5 }),
            other: fc.option(NAME, { freq: 4 }),
            blank: BLANKS,
          }),
          { maxLength: 4 },
        ),
      )
      .map(([names, rows]) => {
        const objects = rows.map(({ values, other, blank }) => {
          const members = names.slice(0, values.length).map((name, at) => `${name}${blank}:${values[at]}`);
          return `{${[...members, ...(other === null ? [] : [`${other}:0`])].join(`,${blank}`)}}`;
        });
        return `[${objects.join(",")}]`;
      }),
    object: fc
      .array(fc.tuple(BLANKS, NAME, BLANKS, tie("json")), { maxLength: 5 })
      .map(
        (members) =>
          `{${members.map(([before, name, after, value]) => `${before}${name}${after}:${value}`)}}`,
      ),
  }),
);

const BOUNDS: fc.Arbitrary<JsonBounds> = fc.record(
  {
    depthMax: fc.integer({ min: 1, max: 5 }),
    namesMax: fc.integer({ min: 1, max: 6 }),
    entriesMax: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: [] },
);

/** The same as `structureFault`, sign by sign, with every name of every object decoded and compared. */
function naiveFault(
  text: string,
  { depthMax = Infinity, namesMax, entriesMax = Infinity }: JsonBounds,
): StructureFault | null {
  const holders: { names: string[] | null; index: number }[] = [];
  const place = (until = holders.length): (string | number)[] =>
    holders.slice(0, until).map(({ names, index }) => (names === null ? index : (names.at(-1) ?? "")));
  const signs = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)].map(({ 0: sign, index: at }) => ({
    sign,
    at,
  }));
  for (const [number, { sign, at }] of signs.entries()) {
    const inner = holders.at(-1);
    if (sign === "{" || sign === "[") {
      if (holders.length === depthMax) return { kind: "depth", at, place: place() };
      holders.push({ names: sign === "{" ? [] : null, index: 0 });
    } else if (sign === "}" || sign === "]") holders.pop();
    else if (sign === "," && inner?.names === null) {
      if (++inner.index >= entriesMax) return { kind: "entries", at, place: place(holders.length - 1) };
    } else if (signs[number + 1]?.sign === ":" && inner?.names) {
      const name = String(JSON.parse(sign));
      const isRepeated = inner.names.includes(name);
      inner.names.push(name);
      if (namesMax === undefined) continue;
      if (isRepeated) return { kind: "repeated", at, place: place() };
      if (inner.names.length > namesMax) return { kind: "names", at, place: place(holders.length - 1) };
      const holder = holders.at(-2)?.names?.at(-1);
      if (name === "__proto__" || (name === "prototype" && holder === "constructor"))
        return { kind: "poison", at, place: place() };
    }
  }
  return null;
}

test("the first fault of any JSON text is the one that a search sign by sign finds", () => {
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(json, BOUNDS, (text, bounds) => {
      JSON.parse(text); // it is JSON
      const fault = naiveFault(text, bounds);
      expect(structureFault(text, bounds)).toEqual(fault);
      const kind = fault?.kind ?? "none";
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }),
    { numRuns: 5000 },
  );
  for (const kind of ["none", "depth", "repeated", "names", "entries", "poison"])
    expect(kinds.get(kind), kind).toBeGreaterThan(20);
});

test("a name that poisons only inside another is refused there, though the list has it elsewhere", () => {
  const text = '[{"prototype":1,"constructor":2},{"constructor":{"prototype":3}}]';
  expect(structureFault(text, { namesMax: 9 })).toMatchObject({
    kind: "poison",
    place: [1, "constructor", "prototype"],
  });
});

test("a name that ends with a backslash is not taken for the beginning of a name with an escaped quote", () => {
  const text = String.raw`[{"c\\":1},{"c\":":1,"a":2,"a":3}]`;
  expect(structureFault(text, { namesMax: 9 })).toMatchObject({ kind: "repeated", place: [1, "a"] });
});

test("a name is found twice in an object with more names than are searched as a list", () => {
  const members = Array.from({ length: 40 }, (_, index) => `"n${index}":${index}`);
  for (const index of [0, 15, 16, 17, 39]) {
    const object = `{${[...members, `"n${index}":0`].join(",")}}`;
    const text = `[{${members.join(",")}},${object}]`;
    expect(structureFault(text, { namesMax: 100 })).toMatchObject({
      kind: "repeated",
      place: [1, `n${index}`],
    });
  }
  expect(structureFault(`[{${members}},{${members}}]`, { namesMax: 40 })).toBeNull();
  expect(structureFault(`[{${members}},{${members}}]`, { namesMax: 39 })).toMatchObject({
    kind: "names",
    place: [0],
  });
});

test("a text that is not JSON ends the search too", () => {
  const pieces = fc.constantFrom(...'{}[],:"\\a1 ', '{"a":', '"a":', '"\\');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), BOUNDS, (parts, bounds) => {
      const fault = structureFault(parts.join(""), bounds);
      expect(fault === null || fault.at < parts.join("").length).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createFieldMap } from "../../../src/commands/input/field-map.js";
import {
  type FiledSample,
  type InputFormat,
  readSampleFile,
} from "../../../src/commands/input/sample-file.js";
import { temporaryFolder } from "../../support/app.js";

interface Options {
  readonly map?: readonly string[];
  readonly ignoreUnknown?: boolean;
  readonly format?: InputFormat;
  readonly bytesMax?: number;
}

/** Reads a file of that name and content. */
async function read(name: string, content: string | Buffer, options: Options = {}): Promise<FiledSample[]> {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  const samples: FiledSample[] = [];
  const { map = [], ignoreUnknown = false, format, bytesMax = 2 ** 20 } = options;
  for await (const sample of readSampleFile(path, {
    limits: { idBytesMax: 256, textCharsMax: 100_000, bodyBytesMax: bytesMax },
    fields: createFieldMap({ map, ignoreUnknown }),
    format,
    signal: new AbortController().signal,
  }))
    samples.push(sample);
  return samples;
}

async function samplesOf(name: string, content: string | Buffer, options?: Options) {
  return (await read(name, content, options)).map(({ sample }) => sample);
}

const latin = (text: string): Buffer => Buffer.from(text, "latin1");

describe("a file of samples", () => {
  it.each([
    ["JSON lines", "a.jsonl", '{"id":"1","text":"a","label":1}\n\n{"id":"2","text":"b"}\n', [1, 3]],
    [
      "JSON lines of another ending",
      "a.json",
      '{"id":"1","text":"a","label":1}\r\n{"id":"2","text":"b"}',
      [1, 2],
    ],
    ["a list", "a.json", '[\n {"id":"1","text":"a","label":1},\n\n {"id":"2","text":"b"}]\n', [2, 4]],
    [
      "a list in one line",
      "a.jsonl",
      '\uFEFF[{"id":"1","text":"a","label":1},{"id":"2","text":"b"}]',
      [1, 1],
    ],
    ["CSV", "a.csv", "\uFEFFid,text,label\r\n1,a,1\r\n2,b,\r\n", [2, 3]],
    ["TSV", "a.tsv", "id\ttext\tlabel\n1\ta\t1\n2\tb\t\n", [2, 3]],
  ] as const)("is %s, gzipped or not", async (_form, name, content, lines) => {
    const found = await read(name, content);
    expect(found.map(({ sample }) => sample)).toEqual([
      { id: "1", text: "a", label: 1 },
      { id: "2", text: "b" },
    ]);
    expect(found.map(({ line }) => line)).toEqual(lines);
    expect(await samplesOf(`${name}.gz`, gzipSync(content))).toEqual(found.map(({ sample }) => sample));
  });

  it("is of the form that is named, whatever its ending", async () => {
    expect(await samplesOf("a.txt", "text\na\n", { format: "csv" })).toEqual([{ text: "a" }]);
    await expect(read("a.txt", "text\na\n")).rejects.toThrow(/a\.txt must end in \.jsonl, .*--from/);
  });

  it("ends lines at line feeds alone", async () => {
    const text = "a \u2028 b \u2029 c \u0085 d";
    expect(await samplesOf("a.jsonl", `{"text":"${text}"}\n{"text":"e"}`)).toEqual([{ text }, { text: "e" }]);
    expect(await samplesOf("a.csv", `text\n${text}\n`)).toEqual([{ text }]);
  });

  it("has ids and groups that are integers, and labels that are true or false", async () => {
    const samples = await samplesOf(
      "a.jsonl",
      '{"id":17,"group":-2,"text":"a","label":true}\n{"text":"b","label":false}',
    );
    expect(samples).toEqual([
      { id: "17", group: "-2", text: "a", label: 1 },
      { text: "b", label: 0 },
    ]);
    const cells = await samplesOf("a.csv", "text,label\na,True\nb,FALSE\nc,1e-3\nd,\n");
    expect(cells.map(({ label }) => label)).toEqual([1, 0, 0.001, undefined]);
    expect(await samplesOf("a.csv", 'text,label\na,"[0.25,0.75]"\n')).toEqual([
      { text: "a", label: [0.25, 0.75] },
    ]);
  });

  it("has a quote within a cell of TSV, and line ends in quoted cells", async () => {
    expect(await samplesOf("a.tsv", 'text\tid\n24" monitor\t1\n')).toEqual([
      { text: '24" monitor', id: "1" },
    ]);
    const found = await read("a.csv", 'text,id\n"a\nb",1\n\nc,2\n');
    expect(found.map(({ sample, line }) => [sample.text, line])).toEqual([
      ["a\nb", 2],
      ["c", 5],
    ]);
  });

  it("has other names for fields, and what is unknown is left out where that is asked for", async () => {
    const options = { map: ["label=rating", "extras.n=raters", "group=query"], ignoreUnknown: true };
    const expected = [{ query: "q", document: "d", group: "q", label: 1, extras: { n: 3 } }];
    const json = '{"query":"q","document":"d","rating":1,"label":0,"raters":3,"more":[1]}';
    expect(await samplesOf("a.jsonl", json, options)).toEqual(expected);
    const csv = "query,document,rating,label,raters,more\nq,d,1,0,3,x\n";
    expect(await samplesOf("a.csv", csv, options)).toEqual(expected);
  });

  it.each([
    [
      "an unknown field",
      "a.jsonl",
      '{"text":"a","rating":1}',
      /line 1: the field "rating" is not known.*--map.*--ignore-unknown/,
    ],
    [
      "an unknown column",
      "a.csv",
      "text,rating\na,1\n",
      /line 1, column 2: the header's "rating" is not known/,
    ],
    [
      "a column that occurs twice",
      "a.csv",
      "text,label,label\na,1,0\n",
      /line 1, column 3: the header names the column "label" twice/,
    ],
    [
      "a key that occurs twice",
      "a.jsonl",
      '{"text":"a","label":1,"label":0}',
      /line 1, character 23: the key "label" occurs twice/,
    ],
    [
      "an extra that occurs twice",
      "a.jsonl",
      '{"text":"a","extras":{"n":1},"extras.n":2}',
      /line 1: extras\.n occurs twice/,
    ],
    [
      "an extra that no record can hold",
      "a.jsonl",
      '{"text":"a","extras":{"__proto__":1}}',
      /line 1, character 23: the key "__proto__" would change the prototype of an object/,
    ],
    [
      "a row with a cell too many",
      "a.csv",
      "text,label\na,1\nb,1,2\n",
      /line 3: the row has 3 cells, but the header has 2 columns/,
    ],
    ["a quote that is not closed", "a.csv", 'text\n"a\n', /a\.csv: Quote Not Closed/],
    ["broken JSON", "a.jsonl", '{"text":"a"}\n{"text":\n\n', /line 2, character 9: the value is cut off/],
    [
      "broken JSON in a list",
      "a.json",
      '[{"text":"a"},\n  {"text":"é" "b"}]',
      /line 2, character 15: expected a comma or }/,
    ],
    ["a list that is not closed", "a.json", '[{"text":"a"},', /line 1, character 14: the list is not closed/],
    ["a list with a gap", "a.json", '[{"text":"a"},]', /line 1, character 15: expected an object/],
    [
      "more than a list",
      "a.json",
      '[{"text":"a"}]\n[]',
      /line 2, character 1: expected nothing after the list/,
    ],
    ["a line that is a number", "a.jsonl", "17", /line 1, character 1: expected an object/],
    [
      "an id beyond exact integers",
      "a.jsonl",
      '{"id":12345678901234567890,"text":"a"}',
      /line 1: id is the number 12345678901234567000, but .*write it as text/,
    ],
    [
      "bytes that are not UTF-8",
      "a.jsonl",
      latin('{"text":"a"}\n{"text":"caf\xe9"}'),
      /line 2, character 13: the byte E9 is not UTF-8/,
    ],
    [
      "bytes that are not UTF-8 in CSV",
      "a.csv",
      latin("id,text\ncaf\xe9,a\ncaf\xe8,b\n"),
      /line 2, character 4: the byte E9 is not UTF-8/,
    ],
    [
      "bytes that are not UTF-8 in a list",
      "a.json",
      latin('[\n{"text":"caf\xe9"}]'),
      /line 2, character 13: the byte E9 is not UTF-8/,
    ],
    ["UTF-16", "a.csv", Buffer.from("\uFEFFtext\na\n", "utf16le"), /a\.csv is UTF-16/],
    [
      "a gzip that is cut off",
      "a.jsonl.gz",
      gzipSync('{"text":"a"}').subarray(0, 20),
      /unexpected end of file/,
    ],
  ])("is refused with the place of %s", async (_what, name, content, message) => {
    await expect(read(name, content)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringMatching(message),
    });
  });

  it.each([" ", "0x1", "1 ", "Infinity", "NaN", "1e999", "1_000", "0b1", "--1", "."])(
    "is refused where %j stands for a number",
    async (cell) => {
      for (const column of ["label", "reference_loss", "extras.clicks"]) {
        const csv = `text,${column}\na,1\nb,${cell}\n`;
        await expect(read("a.csv", csv)).rejects.toThrow(`line 3, column "${column}": ${column} must be `);
      }
    },
  );

  it("is refused where a map names what nobody has, or no field", async () => {
    const map = ["label=rating"];
    await expect(read("a.jsonl", '{"text":"a"}', { map })).rejects.toThrow(
      /no sample has the field "rating"/,
    );
    await expect(read("a.csv", "text\na\n", { map })).rejects.toThrow(/the header has no column "rating"/);
    expect(() => createFieldMap({ map: ["labl=rating"], ignoreUnknown: false })).toThrow(
      /must be FIELD=NAME/,
    );
    expect(() => createFieldMap({ map: ["label=a", "label=b"], ignoreUnknown: false })).toThrow(
      /label is named twice/,
    );
  });

  it("has lines, elements and records of a bounded size", async () => {
    const long = "x".repeat(2000);
    for (const [name, content] of [
      ["a.jsonl", `{"text":"${long}"}`],
      ["a.json", `[{"text":"${long}"}]`],
      ["a.csv", `text\n${long}\n`],
    ] as const)
      await expect(read(name, content, { bytesMax: 1000 })).rejects.toThrow(/longer than 1000 bytes/);
    const lines = `{"text":"a"}\n`.repeat(500);
    expect(await read("a.jsonl", lines, { bytesMax: 1000 })).toHaveLength(500);
    const list = `[${Array(500).fill('{"text":"a, ]}"}').join(",")}]`;
    expect(await read("a.json", list, { bytesMax: 1000 })).toHaveLength(500);
  });
});

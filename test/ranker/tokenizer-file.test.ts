import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readTokenizerFile } from "../../src/ranker/tokenizer-file.js";
import { temporaryFolder } from "../support/app.js";
import { exportFolder } from "../support/exports.js";

const BERT = fileURLToPath(new URL("../../models/default", import.meta.url));

/** Reads the tokenizer of a folder with parts of its file changed. */
function read(source: string, change: (json: Record<string, unknown>) => object | null) {
  const folder = temporaryFolder();
  const json = JSON.parse(readFileSync(join(source, "tokenizer.json"), "utf8"));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(change(json)));
  return readTokenizerFile(folder);
}

function refusal(source: string, change: (json: Record<string, unknown>) => object | null): Promise<string> {
  return read(source, change).then(
    () => expect.fail("was read"),
    (error) => `${error.code}: ${error.message}`,
  );
}

describe("readTokenizerFile", () => {
  it("sets ideographs of the upper planes apart, and gives a sigma at a word's end Hugging Face's lower case", async () => {
    const { encode } = await readTokenizerFile(BERT);
    expect(await encode("case𠮷iphone")).toEqual(await encode("case 𠮷 iphone"));
    expect(await encode("ΌΣ")).toEqual(await encode("όσ"));
  });

  it("takes half of a surrogate pair for U+FFFD", async () => {
    const { encode } = await readTokenizerFile(BERT);
    expect(await encode("usb \ud842 c")).toEqual(await encode("usb \ufffd c"));
  });

  it("neither cuts nor pads where the file does", async () => {
    const { encode } = await read(BERT, (json) => ({
      ...json,
      truncation: { direction: "Right", max_length: 3, strategy: "LongestFirst", stride: 0 },
      padding: {
        ...{ strategy: { Fixed: 64 }, direction: "Right", pad_to_multiple_of: null },
        ...{ pad_id: 0, pad_type_id: 0, pad_token: "[PAD]" },
      },
    }));
    expect(await encode("usb c cable for a phone")).toHaveLength(6);
  });

  it.each<[string, (json: Record<string, unknown>) => object | null, RegExp]>([
    [
      "a normalizer of another version",
      (json) => ({
        ...json,
        normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Future" }] },
      }),
      /^model_invalid: tokenizer.json cannot be used: .* it does not know the normalizer Future$/,
    ],
    [
      "a pre-tokenizer of another version",
      (json) => ({ ...json, pre_tokenizer: { type: "Later" } }),
      /it does not know the pre_tokenizer Later$/,
    ],
    [
      "a model of another version",
      (json) => ({ ...json, model: { type: "Future" } }),
      /cannot load it: .*Model/,
    ],
    ["nothing in it", () => null, /cannot load it/],
  ])("refuses a file with %s", async (_, change, words) => {
    expect(await refusal(BERT, change)).toMatch(words);
  });

  it("refuses merges that are drawn at random", async () => {
    const dropout = (json: Record<string, unknown>) => ({
      ...json,
      model: { ...(json.model as object), dropout: 0.1 },
    });
    expect(await refusal(exportFolder("roberta"), dropout)).toMatch(
      /draws merges at random \(dropout 0\.1\)/,
    );
  });

  it("refuses a file that is no JSON", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "tokenizer.json"), "{");
    await expect(readTokenizerFile(folder)).rejects.toThrow(/it is not JSON/);
  });
});

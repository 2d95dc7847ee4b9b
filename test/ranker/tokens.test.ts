import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import { loadTokeniser } from "../../src/ranker/tokeniser.js";
import { openTokens } from "../../src/ranker/tokens.js";
import { temporaryFolder } from "../support/app.js";
import { SHIPPED } from "../support/model.js";

const TEXTS = [
  { first: "usb c cable", second: "USB-C charging cable, 2 m" },
  { first: "", second: "" },
  { first: "kopfhörer 🎧 schwarz", second: null },
  { first: "long query ".repeat(200), second: "long document ".repeat(200) },
  { first: "steel bottle", second: "Vacuum bottle, 500 ml; ".repeat(90) },
];

describe("the tokens of a text with their places", () => {
  it("have the ids that the engine's tokeniser gives, cut alike", async () => {
    const folder = await readModelFolder(SHIPPED);
    const tokens = await openTokens(folder);
    const tokenise = await loadTokeniser(folder);
    for (const [index, { ids }] of (await tokenise(TEXTS)).entries()) {
      const text = TEXTS[index];
      if (text !== undefined) expect((await tokens(text)).map(({ id }) => id)).toEqual([...ids]);
    }
  });

  it("are counted in code points of their part, and special tokens have no place", async () => {
    const tokens = await openTokens(await readModelFolder(SHIPPED));
    const text = { first: "kopfhörer 🎧", second: "USB-C" };
    const found = (await tokens(text)).map((token) =>
      token.part === null ? null : [...text[token.part]].slice(token.start, token.end).join(""),
    );
    expect(found).toEqual([null, "ko", "pf", "höre", "r", "🎧", null, "USB", "-", "C", null]);
  });

  it("are refused if the tokenizer's file has changed since the model was loaded", async () => {
    const copy = join(temporaryFolder(), "default");
    cpSync(SHIPPED, copy, { recursive: true });
    const folder = await readModelFolder(copy);
    const path = join(copy, "tokenizer.json");
    writeFileSync(path, `${readFileSync(path, "utf8")}\n`);
    await expect(openTokens(folder)).rejects.toMatchObject({ code: "model_invalid" });
  });
});

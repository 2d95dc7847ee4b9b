import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import { loadTokeniser, type TokenisedText, type Tokeniser } from "../../src/ranker/tokeniser.js";
import { readTokenizerFile } from "../../src/ranker/tokenizer-file.js";
import { longestFirst } from "../../src/ranker/truncate.js";
import { expand, type OracleText, readOracle } from "../support/oracle.js";

interface TokenCase {
  readonly about: string;
  readonly text?: OracleText;
  readonly query?: OracleText;
  readonly document?: OracleText;
  readonly max_tokens: number;
  readonly ids: readonly number[];
  readonly type_ids: readonly number[];
}

const { cases } = readOracle<{ cases: readonly TokenCase[] }>("tokens");

describe("the tokeniser of the shipped model, of texts that it need not look at whole", () => {
  const units = ["usb c cable ", `${"z".repeat(99)}\u2603 `, "真无线蓝牙耳机", "a".repeat(120), "x  y\t"];
  const texts = units.flatMap((unit) => [unit.repeat(4), unit.repeat(40)]);

  it.each([16, 17])("gives at most %i tokens, the first of the whole text's", async (tokensMax) => {
    const folder = await readModelFolder(fileURLToPath(new URL("../../models/default", import.meta.url)));
    const cutting = await loadTokeniser({
      ...folder,
      manifest: { ...folder.manifest, max_tokens: tokensMax },
    });
    const { encode } = await readTokenizerFile(folder.directory);
    const { pair } = folder.manifest;
    for (const first of texts) {
      const a = await encode(first);
      const [row] = (await cutting([{ first, second: null }])) as [TokenisedText];
      expect([...row.ids]).toEqual([pair.single[0], ...a.slice(0, tokensMax - 2), pair.single[2]]);
      expect(row.truncated).toBe(a.length > tokensMax - 2);
      for (const second of texts) {
        const b = await encode(second);
        const [both] = (await cutting([{ first, second }])) as [TokenisedText];
        const [keptA, keptB] = longestFirst(a.length, b.length, tokensMax - 3);
        const [cls, , sep] = pair.pair;
        expect([...both.ids]).toEqual([cls, ...a.slice(0, keptA), sep, ...b.slice(0, keptB), sep]);
      }
    }
  });
});

describe("the tokeniser of the shipped model", () => {
  const tokenisers = new Map<number, Tokeniser>();
  beforeAll(async () => {
    const folder = await readModelFolder(fileURLToPath(new URL("../../models/default", import.meta.url)));
    for (const tokensMax of new Set(cases.map(({ max_tokens }) => max_tokens))) {
      const manifest = { ...folder.manifest, max_tokens: tokensMax };
      tokenisers.set(tokensMax, await loadTokeniser({ ...folder, manifest }));
    }
  });

  it.each(cases)(
    "gives Hugging Face's tokens for $about (at most $max_tokens)",
    async ({ text, query, document, ...expected }) => {
      const tokenise = tokenisers.get(expected.max_tokens) as Tokeniser;
      const [row] = await tokenise([
        text === undefined
          ? { first: expand(query as OracleText), second: expand(document as OracleText) }
          : { first: expand(text), second: null },
      ]);
      const { ids, typeIds } = row as TokenisedText;
      expect([...ids]).toEqual(expected.ids);
      expect([...typeIds]).toEqual(expected.type_ids);
    },
  );
});

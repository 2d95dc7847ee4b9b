import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import { loadTokeniser, type Tokeniser } from "../../src/ranker/tokeniser.js";
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
    ({ text, query, document, ...expected }) => {
      const tokenise = tokenisers.get(expected.max_tokens) as Tokeniser;
      const { ids, typeIds } = tokenise(
        text === undefined
          ? { first: expand(query as OracleText), second: expand(document as OracleText) }
          : { first: expand(text), second: null },
      );
      expect([...ids]).toEqual(expected.ids);
      expect([...typeIds]).toEqual(expected.type_ids);
    },
  );
});

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Encoding, Tokenizer } from "tokenizers";
import { AssayError, messageOf } from "../errors.js";
import { type Component, type Components, type Cut, flatten, readCut } from "./cuts.js";
import { TOKENISER_FILE } from "./manifest.js";
import type { PlacedToken } from "./port.js";

/** A `tokenizer.json` that Hugging Face's library runs. */
export interface TokenizerFile {
  /** Token ids of a text without special tokens. A thread of libuv's pool computes them. */
  readonly encode: (text: string) => Promise<number[]>;
  /** The same with each token's place in the text: the code points from `start` to before `end`. */
  readonly encodePlaced: (text: string) => Promise<readonly Omit<PlacedToken, "part">[]>;
  readonly cut: Cut;
}

interface TokenizerJson extends Components {
  readonly model?: { readonly type?: string; readonly dropout?: number | null };
}

/** The components that the library knows, by part of the file. Its own errors do not name an unknown component. */
const KNOWN = {
  normalizer: new Set([
    ...["BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled"],
    ...["Prepend", "Replace", "Strip", "StripAccents"],
  ]),
  pre_tokenizer: new Set([
    ...["BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace"],
    ...["Punctuation", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"],
  ]),
};

/** Reads a folder's `tokenizer.json`. Throws `model_invalid` naming the component that is not supported. */
export async function readTokenizerFile(directory: string): Promise<TokenizerFile> {
  const source = await readFile(join(directory, TOKENISER_FILE), "utf8");
  const json = parse(source);
  const tokenizer = open(source, json);
  if (json.model?.dropout) {
    throw refused(`its model draws merges at random (dropout ${json.model.dropout}): set dropout to null`);
  }
  tokenizer.disableTruncation();
  tokenizer.disablePadding();
  const encoding = (text: string): Promise<Encoding> =>
    tokenizer.encode(text, null, { addSpecialTokens: false });
  return {
    encode: async (text) => (await encoding(text)).getIds(),
    async encodePlaced(text) {
      const found = await encoding(text);
      const places = found.getOffsets();
      return found.getIds().map((id, index) => {
        const [start = 0, end = start] = places[index] ?? [];
        return { id, start, end };
      });
    },
    cut: readCut(json),
  };
}

function parse(source: string): TokenizerJson {
  try {
    const json: TokenizerJson | null = JSON.parse(source);
    return json ?? {};
  } catch (cause) {
    throw refused(`it is not JSON: ${messageOf(cause)}`, cause);
  }
}

function open(source: string, json: TokenizerJson): Tokenizer {
  try {
    return Tokenizer.fromString(source);
  } catch (cause) {
    const unknown = [
      ...unknownOf("normalizer", json.normalizer),
      ...unknownOf("pre_tokenizer", json.pre_tokenizer),
    ];
    const why = unknown.length > 0 ? `it does not know the ${unknown.join(" and the ")}` : messageOf(cause);
    throw refused(`Hugging Face's library tokenizers cannot load it: ${why}`, cause);
  }
}

function unknownOf(part: keyof typeof KNOWN, component: Component | null | undefined): string[] {
  return flatten(component)
    .filter(({ type }) => !KNOWN[part].has(type))
    .map(({ type }) => `${part} ${type}`);
}

function refused(detail: string, cause?: unknown): AssayError {
  return new AssayError("model_invalid", { detail: `${TOKENISER_FILE} cannot be used: ${detail}`, cause });
}

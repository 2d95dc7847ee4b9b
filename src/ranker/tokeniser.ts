import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { type Manifest, TOKENISER_FILES } from "./manifest.js";
import { readJson } from "./model-folder.js";
import type { Text } from "./port.js";
import { longestFirst } from "./truncate.js";

/** One text as the model takes it. */
export interface TokenisedText {
  /** (T) token ids, special tokens included, T ≤ max_tokens. */
  readonly ids: Int32Array;
  /** (T) segment ids. */
  readonly typeIds: Uint8Array;
  readonly truncated: boolean;
}

export type Tokeniser = (text: Text) => TokenisedText;

/** A folder with the tokeniser's files, and the part of a manifest that joins and cuts texts. */
export interface TokeniserFolder {
  readonly directory: string;
  readonly manifest: Pick<Manifest, "pair" | "max_tokens">;
}

/**
 * Reads the folder's tokenizer. Each text is tokenised alone and the pair joined by the manifest's template, because the
 * library neither truncates nor joins an empty second text as Hugging Face does (DESIGN.md, section 9).
 */
export async function loadTokeniser({ directory, manifest }: TokeniserFolder): Promise<Tokeniser> {
  const [tokenizer, config] = await Promise.all(
    TOKENISER_FILES.map(async (name) => (await readJson(join(directory, name), name)) as object),
  );
  const library = new Tokenizer(tokenizer as object, config as object);
  const encode = (text: string): number[] => library.encode(text, { add_special_tokens: false }).ids;
  const { pair } = manifest;
  const single = templateOf(pair.single, pair.single_type_ids);
  const double = templateOf(pair.pair, pair.pair_type_ids);

  return ({ first, second }) => {
    const a = encode(first);
    if (second === null) {
      const kept = Math.min(a.length, manifest.max_tokens - single.specials);
      return assemble(single, a, kept, [], 0, kept < a.length);
    }
    const b = encode(second);
    const [keptA, keptB] = longestFirst(a.length, b.length, manifest.max_tokens - double.specials);
    return assemble(double, a, keptA, b, keptB, keptA < a.length || keptB < b.length);
  };
}

interface Template {
  readonly elements: Manifest["pair"]["pair"];
  readonly typeIds: readonly number[];
  /** Number of special tokens. */
  readonly specials: number;
}

function templateOf(elements: Template["elements"], typeIds: readonly number[]): Template {
  return { elements, typeIds, specials: elements.filter((element) => typeof element === "number").length };
}

function assemble(
  { elements, typeIds: elementTypeIds, specials }: Template,
  a: readonly number[],
  keptA: number,
  b: readonly number[],
  keptB: number,
  truncated: boolean,
): TokenisedText {
  const ids = new Int32Array(specials + keptA + keptB);
  const typeIds = new Uint8Array(ids.length);
  let at = 0;
  for (let e = 0; e < elements.length; e++) {
    const element = elements[e];
    const from = at;
    if (typeof element === "number") ids[at++] = element;
    else {
      const [source, kept] = element === "A" ? [a, keptA] : [b, keptB];
      for (let t = 0; t < kept; t++) ids[at++] = source[t] as number;
    }
    typeIds.fill(elementTypeIds[e] ?? 0, from, at);
  }
  return { ids, typeIds, truncated };
}

import type { Manifest } from "./manifest.js";
import type { Text } from "./port.js";
import { readTokenizerFile, type TokenizerFile } from "./tokenizer-file.js";
import { longestFirst } from "./truncate.js";

/** One text as the model takes it. */
export interface TokenisedText {
  /** (T) token ids, special tokens included, T ≤ max_tokens. */
  readonly ids: Int32Array;
  /** (T) segment ids. */
  readonly typeIds: Uint8Array;
  readonly truncated: boolean;
}

/** Tokenises texts off the thread that calls, several at once; answers in their order. */
export type Tokeniser = (texts: readonly Text[]) => Promise<TokenisedText[]>;

/** A folder with the tokeniser's file, and the part of a manifest that joins and cuts texts. */
export interface TokeniserFolder {
  readonly directory: string;
  readonly manifest: Pick<Manifest, "pair" | "max_tokens">;
}

/**
 * Reads the folder's tokenizer. Each text is tokenised alone, as far as its tokens are needed, and the pair joined by the
 * manifest's template: of a long text the most is never looked at.
 */
export async function loadTokeniser({ directory, manifest }: TokeniserFolder): Promise<Tokeniser> {
  const file = await readTokenizerFile(directory);
  const { pair, max_tokens: tokensMax } = manifest;
  const single = templateOf(pair.single, pair.single_type_ids);
  const double = templateOf(pair.pair, pair.pair_type_ids);

  async function tokenise({ first, second }: Text): Promise<TokenisedText> {
    const a = await begin(file, first, tokensMax);
    if (second === null) {
      const kept = Math.min(a.length, tokensMax - single.specials);
      return assemble(single, { ids: a.ids, kept }, NOTHING, kept < a.length);
    }
    const b = await begin(file, second, tokensMax);
    const room = tokensMax - double.specials;
    const [wholeA, wholeB] = isOrderKnown(a, b, room)
      ? [a, b]
      : [await finish(file, a), await finish(file, b)];
    const [keptA, keptB] = longestFirst(wholeA.length, wholeB.length, room);
    const truncated = keptA < wholeA.length || keptB < wholeB.length;
    return assemble(double, { ids: a.ids, kept: keptA }, { ids: b.ids, kept: keptB }, truncated);
  }
  return (texts) => Promise.all(texts.map(tokenise));
}

/** A text's first tokens: all of them, or more than any template keeps. */
interface Beginning {
  readonly text: string;
  readonly ids: readonly number[];
  /** How many tokens the text has; where it is not whole, at least. */
  readonly length: number;
  readonly whole: boolean;
}

/** Tried first: most words of most languages have fewer characters for each of their tokens. */
const CHARACTERS_PER_TOKEN = 6;

/** Tries as many characters as should suffice by what was tried before, and at least twice as many. */
async function begin({ encode, cut }: TokenizerFile, text: string, tokensMax: number): Promise<Beginning> {
  for (let characters = tokensMax * CHARACTERS_PER_TOKEN; ; ) {
    const end = cut(text, characters);
    const ids = await encode(text.slice(0, end));
    if (end === text.length) return { text, ids, length: ids.length, whole: true };
    if (ids.length > tokensMax) return { text, ids, length: ids.length + 1, whole: false };
    characters = Math.max(2, (1.1 * tokensMax) / Math.max(1, ids.length)) * end;
  }
}

/** The same with the text's true length. */
async function finish({ encode }: TokenizerFile, beginning: Beginning): Promise<Beginning> {
  if (beginning.whole) return beginning;
  const ids = await encode(beginning.text);
  return { ...beginning, ids, length: ids.length, whole: true };
}

/** Of two texts that both give way, the longer one keeps the odd token of the room: which one is longer must be known. */
function isOrderKnown(a: Beginning, b: Beginning, room: number): boolean {
  if (room % 2 === 0 || (a.whole && b.whole)) return true;
  return (a.whole && a.length <= b.length) || (b.whole && b.length <= a.length);
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

/** Tokens of one text, and how many of them stay. */
interface Kept {
  readonly ids: readonly number[];
  readonly kept: number;
}
const NOTHING: Kept = { ids: [], kept: 0 };

function assemble(
  { elements, typeIds: elementTypeIds, specials }: Template,
  a: Kept,
  b: Kept,
  truncated: boolean,
): TokenisedText {
  const ids = new Int32Array(specials + a.kept + b.kept);
  const typeIds = new Uint8Array(ids.length);
  let at = 0;
  for (let e = 0; e < elements.length; e++) {
    const element = elements[e];
    const from = at;
    if (typeof element === "number") ids[at++] = element;
    else {
      const source = element === "A" ? a : b;
      for (let t = 0; t < source.kept; t++) ids[at++] = source.ids[t] as number;
    }
    typeIds.fill(elementTypeIds[e] ?? 0, from, at);
  }
  return { ids, typeIds, truncated };
}

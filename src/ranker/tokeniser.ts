import type { Manifest } from "./manifest.js";
import type { Text } from "./port.js";
import { readTokenizerFile, type TokenizerFile } from "./tokenizer-file.js";
import { longestFirst } from "./truncate.js";

/** One text in the model's input format. */
export interface TokenisedText {
  /** (T) token ids, special tokens included, T ≤ max_tokens. */
  readonly ids: Int32Array;
  /** (T) segment ids. */
  readonly typeIds: Uint8Array;
  readonly truncated: boolean;
}

/** Tokenises several texts at once, not on the calling thread. The answers are in the order of the texts. */
export type Tokeniser = (texts: readonly Text[]) => Promise<TokenisedText[]>;

/** A folder with the tokeniser's file, and the part of the manifest that says how texts are joined and cut. */
export interface TokeniserFolder {
  readonly directory: string;
  readonly manifest: Pick<Manifest, "pair" | "max_tokens">;
}

/**
 * Reads the folder's tokenizer. Each text is tokenised alone, and only as far as its tokens are needed, so most of a long text is
 * never read. The manifest's template joins the two texts of a pair.
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
  /** The number of tokens of the text, or a lower bound if `ids` is not the whole text. */
  readonly length: number;
  readonly whole: boolean;
}

/** The first attempt takes this many characters for each token. In most languages most words have fewer. */
const CHARACTERS_PER_TOKEN = 6;

/** Each further attempt takes as many characters as the last one suggests, and at least twice as many as the last one. */
async function begin({ encode, cut }: TokenizerFile, text: string, tokensMax: number): Promise<Beginning> {
  for (let characters = tokensMax * CHARACTERS_PER_TOKEN; ; ) {
    const end = cut(text, characters);
    const ids = await encode(text.slice(0, end));
    if (end === text.length) return { text, ids, length: ids.length, whole: true };
    if (ids.length > tokensMax) return { text, ids, length: ids.length + 1, whole: false };
    characters = Math.max(2, (1.1 * tokensMax) / Math.max(1, ids.length)) * end;
  }
}

/** Tokenises the whole text, so that its true length is known. */
async function finish({ encode }: TokenizerFile, beginning: Beginning): Promise<Beginning> {
  if (beginning.whole) return beginning;
  const ids = await encode(beginning.text);
  return { ...beginning, ids, length: ids.length, whole: true };
}

/**
 * Whether it is known which text is longer. It matters if both texts are cut and the room is odd, because the longer one then
 * keeps one token more.
 */
function isOrderKnown(a: Beginning, b: Beginning, room: number): boolean {
  if (room % 2 === 0 || (a.whole && b.whole)) return true;
  return (a.whole && a.length <= b.length) || (b.whole && b.length <= a.length);
}

/** The ids of the special tokens with which the manifest's templates join texts. */
export function specialIds({ pair }: Pick<Manifest, "pair">): ReadonlySet<number> {
  return new Set([...pair.single, ...pair.pair].filter((element) => typeof element === "number"));
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

/** Tokens of one text, and how many of them are kept. */
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

/** The components of a `tokenizer.json` that decide whether the tokens at a place depend on the text after it. */
export interface Components {
  readonly normalizer?: Component | null | undefined;
  readonly pre_tokenizer?: Component | null | undefined;
  readonly added_tokens?: readonly { readonly content: string }[] | undefined;
}

/** One normalizer or pre-tokenizer, or a sequence of them. */
export interface Component {
  readonly type: string;
  readonly normalizers?: readonly Component[] | undefined;
  readonly pretokenizers?: readonly Component[] | undefined;
  readonly clean_text?: boolean | undefined;
  readonly lowercase?: boolean | undefined;
  readonly strip_accents?: boolean | null | undefined;
  readonly handle_chinese_chars?: boolean | undefined;
  readonly add_prefix_space?: boolean | undefined;
  readonly use_regex?: boolean | undefined;
  readonly split?: boolean | undefined;
  readonly pattern?: { readonly Regex?: string | undefined; readonly String?: string } | undefined;
}

/**
 * The first place at or after `from` where the text may be cut: the tokens of the part before it are the first tokens of the
 * whole text. The text's length if there is no such place.
 */
export type Cut = (text: string, from: number) => number;

/**
 * Letters whose tokens do not change with what comes after a space. None is a mark or part of a cluster that begins with a space.
 */
const LETTER =
  "A-Za-z0-9\\u00c0-\\u024f\\u0386-\\u03ff\\u0400-\\u0482\\u048a-\\u04ff\\u05d0-\\u05ea\\u0620-\\u064a\\uac00-\\ud7a3";
const IDEOGRAPH = "\\u4e00-\\u9fff";

/** Normalizers that look at one character and its marks, and never beyond a space. */
const LOCAL_NORMALIZERS = new Set([
  ...["BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt"],
  ...["Precompiled", "Prepend", "Strip", "StripAccents"],
]);
/** Patterns that match only white space: XLM-R's and DeBERTa's. Their replacement keeps a single space between letters. */
const LOCAL_PATTERNS = new Set([" {2,}", "\\s{2,}|[\\n\\r\\t]", "\\s+"]);
const LOCAL_PRE_TOKENIZERS = new Set(["Digits", "Punctuation"]);
const SPLIT_AT_SPACES = new Set(["BertPreTokenizer", "Whitespace", "WhitespaceSplit"]);

/**
 * Finds where a text may be cut: between two words with one space between them and, for BERT, between two ideographs. The
 * components named above do not look across these places. Other components, or an added token with a space inside, may look
 * further; then the text is never cut.
 */
export function readCut({ normalizer, pre_tokenizer, added_tokens = [] }: Components): Cut {
  const normalizers = flatten(normalizer);
  const preTokenizers = flatten(pre_tokenizer);
  const added = added_tokens.map(({ content }) => content);
  const isLocal =
    normalizers.every(isLocalNormalizer) &&
    preTokenizers.some(splitsAtSpaces) &&
    preTokenizers.every((part) => splitsAtSpaces(part) || LOCAL_PRE_TOKENIZERS.has(part.type)) &&
    !added.some((content) => /\S\s+\S/u.test(content));
  if (!isLocal) return (text) => text.length;

  const setsIdeographsApart =
    normalizers.some(({ type, handle_chinese_chars }) => type === "BertNormalizer" && handle_chinese_chars) &&
    preTokenizers.some(({ type }) => type === "BertPreTokenizer") &&
    !added.some((content) => new RegExp(`[${IDEOGRAPH}]`).test(content));
  const words = `[${LETTER}](?= [${LETTER}])`;
  const ideographs = `[${IDEOGRAPH}](?=[${IDEOGRAPH}])`;
  const last = new RegExp(setsIdeographsApart ? `${words}|${ideographs}` : words, "g");
  return (text, from) => {
    if (from >= text.length) return text.length;
    last.lastIndex = Math.max(0, from - 1);
    const found = last.exec(text);
    return found === null ? text.length : found.index + 1;
  };
}

/** The component in a list; a sequence is replaced by its components. */
export function flatten(part: Component | null | undefined): Component[] {
  if (part === null || part === undefined) return [];
  return part.type === "Sequence"
    ? [...(part.normalizers ?? []), ...(part.pretokenizers ?? [])].flatMap(flatten)
    : [part];
}

function isLocalNormalizer({ type, pattern }: Component): boolean {
  if (type !== "Replace") return LOCAL_NORMALIZERS.has(type);
  if (pattern?.Regex !== undefined) return LOCAL_PATTERNS.has(pattern.Regex);
  return pattern?.String !== undefined && (pattern.String.length === 1 || !/\s/u.test(pattern.String));
}

function splitsAtSpaces({ type, use_regex = true, split = true }: Component): boolean {
  if (type === "ByteLevel") return use_regex;
  if (type === "Metaspace") return split;
  return SPLIT_AT_SPACES.has(type);
}

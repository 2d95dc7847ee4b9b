import { z } from "zod";
import { AssayError } from "../../errors.js";
import { type Component, type Components, flatten } from "../cuts.js";
import { type CheckpointFiles, parse } from "./checkpoint.js";

/** The fields of tokenizer_config.json with which transformers extends or overrides `tokenizer.json`. */
const configSchema = z.looseObject({
  tokenizer_class: z.string().default(""),
  do_lower_case: z.boolean().default(true),
  strip_accents: z.boolean().nullable().default(null),
  tokenize_chinese_chars: z.boolean().default(true),
  add_prefix_space: z.boolean().default(false),
  split_special_tokens: z.boolean().default(false),
  truncation_side: z.string().default("right"),
});
type TokenizerConfig = z.infer<typeof configSchema>;

const componentSchema = z.looseObject({
  type: z.string(),
  get normalizers() {
    return z.array(componentSchema).optional();
  },
  get pretokenizers() {
    return z.array(componentSchema).optional();
  },
});
const tokenizerSchema = z.looseObject({
  normalizer: componentSchema.nullish(),
  pre_tokenizer: componentSchema.nullish(),
});

/** An imported tokeniser. */
export interface ImportedTokenizer {
  /** The content for the model folder's `tokenizer.json`. */
  readonly json: Components;
  /** Sentences that say where transformers 5 tokenises differently. */
  readonly knownDifferences: readonly string[];
}

/** Tokeniser classes whose normalizer transformers builds from the configuration. */
const BERT = /^(Bert|DistilBert|Electra)Tokenizer(Fast)?$/;
const ROBERTA = /^RobertaTokenizer(Fast)?$/;

/** Types of the normalizers and pre-tokenizers that transformers 5 builds for a class, regardless of the file. */
const BUILT: readonly { readonly of: RegExp; readonly parts: RegExp }[] = [
  { of: /^XLMRobertaTokenizer(Fast)?$/, parts: /^Precompiled \| WhitespaceSplit Metaspace$/ },
  {
    of: /^DebertaV2Tokenizer(Fast)?$/,
    parts: /^(Lowercase )?Replace NFC Strip \| (Punctuation )?Metaspace$/,
  },
];

/**
 * A `tokenizer.json` with the changes that `AutoTokenizer` makes: transformers takes BERT's normalizer and the space before
 * RoBERTa's first word from the configuration. The two files can differ: bert-base-chinese has `lowercase: true` in one and
 * `do_lower_case: false` in the other. Throws `model_invalid` for a tokeniser that cannot be served.
 */
export function readTokenizer(files: CheckpointFiles): ImportedTokenizer {
  const tokenizer = parse(tokenizerSchema, files.tokenizer, "tokenizer.json");
  const config = parse(configSchema, files.tokenizerConfig, "tokenizer_config.json");
  return { json: applyConfig(tokenizer, config), knownDifferences: knownDifferencesOf(tokenizer, config) };
}

function applyConfig(tokenizer: Components, config: TokenizerConfig): Components {
  if (config.truncation_side === "left")
    throw refused(
      "the tokeniser cuts texts on the left, and Assay cuts them on the right: set truncation_side to right",
    );
  if (config.split_special_tokens) {
    throw refused(
      "tokenizer_config.json sets split_special_tokens, which a tokenizer.json cannot express: set it to false",
    );
  }
  const { tokenizer_class: name } = config;
  if (BERT.test(name)) return { ...tokenizer, normalizer: bertNormalizer(tokenizer, name, config) };
  if (ROBERTA.test(name)) {
    return { ...tokenizer, pre_tokenizer: withPrefixSpace(tokenizer.pre_tokenizer, config.add_prefix_space) };
  }
  return tokenizer;
}

function knownDifferencesOf(tokenizer: Components, { tokenizer_class: name }: TokenizerConfig): string[] {
  const [normalizers, preTokenizers] = [tokenizer.normalizer, tokenizer.pre_tokenizer].map((part) =>
    flatten(part)
      .map(({ type }) => type)
      .join(" "),
  );
  const parts = `${normalizers} | ${preTokenizers}`;
  const built = BUILT.find(({ of }) => of.test(name));
  if (built === undefined || built.parts.test(parts)) return [];
  return [
    `The service runs tokenizer.json as it is, as transformers 4 did (${parts}). transformers 5 builds other parts for ${name} and gives some texts other ids. To get its ids, export the checkpoint with python -m assay.export.`,
  ];
}

function bertNormalizer({ normalizer }: Components, name: string, config: TokenizerConfig): Component {
  if (normalizer?.type !== "BertNormalizer") {
    throw refused(
      `tokenizer.json has the normalizer ${normalizer?.type ?? "null"}, but ${name} needs BertNormalizer: if the file is right, set tokenizer_class to PreTrainedTokenizerFast in tokenizer_config.json`,
    );
  }
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = config;
  const flags = { lowercase: do_lower_case, strip_accents, handle_chinese_chars: tokenize_chinese_chars };
  return { ...normalizer, clean_text: true, ...flags };
}

function withPrefixSpace(part: Component | null | undefined, addPrefixSpace: boolean): Component | null {
  if (part === null || part === undefined) return null;
  const { pretokenizers } = part;
  if (pretokenizers !== undefined) {
    return {
      ...part,
      pretokenizers: pretokenizers.flatMap((inner) => withPrefixSpace(inner, addPrefixSpace) ?? []),
    };
  }
  return part.type === "ByteLevel" ? { ...part, add_prefix_space: addPrefixSpace } : part;
}

function refused(detail: string): AssayError {
  return new AssayError("model_invalid", { detail });
}

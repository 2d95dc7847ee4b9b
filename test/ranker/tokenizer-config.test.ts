import { describe, expect, it } from "vitest";
import { readTokenizer } from "../../src/ranker/import/tokenizer-config.js";

const BERT = {
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  model: { type: "WordPiece" },
};
const DEBERTA = {
  normalizer: { type: "Sequence", normalizers: [{ type: "Strip" }, { type: "Precompiled" }] },
  pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Metaspace" }] },
};

function imported(tokenizer: object, tokenizerConfig: object) {
  return readTokenizer({ config: {}, tokenizer, tokenizerConfig });
}

describe("readTokenizer", () => {
  it("sets BERT's normalizer by the configuration, as AutoTokenizer does", () => {
    const { json } = imported(BERT, {
      tokenizer_class: "BertTokenizer",
      do_lower_case: false,
      strip_accents: true,
      tokenize_chinese_chars: false,
    });
    const flags = { lowercase: false, strip_accents: true, handle_chinese_chars: false };
    expect(json).toEqual({ ...BERT, normalizer: { ...BERT.normalizer, ...flags } });
  });

  it("takes the class's defaults where the configuration says nothing", () => {
    const cased = { ...BERT, normalizer: { ...BERT.normalizer, lowercase: false, strip_accents: false } };
    expect(imported(cased, { tokenizer_class: "BertTokenizerFast" }).json).toEqual(BERT);
  });

  it("sets the space before RoBERTa's first word by the configuration", () => {
    const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
    const spaced = { ...bytes, add_prefix_space: true };
    const config = { tokenizer_class: "RobertaTokenizer", add_prefix_space: true };
    expect(imported({ pre_tokenizer: bytes }, config).json).toEqual({ pre_tokenizer: spaced });
    expect(imported({ pre_tokenizer: { type: "Sequence", pretokenizers: [bytes] } }, config).json).toEqual({
      pre_tokenizer: { type: "Sequence", pretokenizers: [spaced] },
    });
  });

  it("leaves the file of other classes as it is", () => {
    const config = {
      tokenizer_class: "PreTrainedTokenizerFast",
      do_lower_case: false,
      add_prefix_space: true,
    };
    expect(imported(BERT, config)).toEqual({ json: BERT, knownDifferences: [] });
  });

  it("says where transformers 5 builds other parts than the file has", () => {
    const [difference] = imported(DEBERTA, { tokenizer_class: "DebertaV2Tokenizer" }).knownDifferences;
    expect(difference).toMatch(/Strip Precompiled \| Metaspace.*other parts for DebertaV2Tokenizer/);
    const built = {
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "Replace" }, { type: "NFC" }, { type: "Strip" }],
      },
      pre_tokenizer: DEBERTA.pre_tokenizer,
    };
    expect(imported(built, { tokenizer_class: "DebertaV2Tokenizer" }).knownDifferences).toEqual([]);
  });

  it.each([
    ["texts cut on the left", BERT, { truncation_side: "left" }, /cuts texts on the left/],
    ["special tokens that are split", BERT, { split_special_tokens: true }, /split_special_tokens/],
    [
      "a normalizer that BERT's class replaces",
      { ...BERT, normalizer: { type: "NFC" } },
      { tokenizer_class: "BertTokenizer" },
      /has the normalizer NFC, but BertTokenizer needs BertNormalizer/,
    ],
  ])("refuses %s", (_, tokenizer, config, words) => {
    expect(() => imported(tokenizer, config)).toThrow(words);
  });
});

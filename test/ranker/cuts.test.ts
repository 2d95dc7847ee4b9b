import { describe, expect, it } from "vitest";
import { type Components, readCut } from "../../src/ranker/cuts.js";

const BERT: Components = {
  normalizer: { type: "BertNormalizer", handle_chinese_chars: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  added_tokens: [{ content: "[MASK]" }],
};
const WORDS = "usb c cable, 2 m";
const WHOLE = WORDS.length;

describe("readCut", () => {
  it("cuts between two words that one space parts, at or after a place", () => {
    const cut = readCut(BERT);
    expect([0, 3, 4, 5, 6, 14].map((from) => cut(WORDS, from))).toEqual([3, 3, 5, 5, WHOLE - 2, WHOLE - 2]);
    expect(cut("кабель юсб", 1)).toBe(6);
    expect(cut("무선 마우스", 1)).toBe(2);
  });

  it("takes the whole text where nothing follows, or nothing parts it", () => {
    const cut = readCut(BERT);
    expect(cut(WORDS, 15)).toBe(WHOLE);
    expect(cut(WORDS, 1000)).toBe(WHOLE);
    expect(cut("a".repeat(50), 10)).toBe(50);
    for (const text of [
      "usb  c",
      "usb\tc",
      "usb\u00a0c",
      "usb, c",
      "usb \u0301c",
      "usb c\u0301able".slice(0, 4),
    ]) {
      expect(cut(text, 1), text).toBe(text.length);
    }
  });

  it("cuts between ideographs that BERT sets apart", () => {
    expect(readCut(BERT)("真无线蓝牙耳机", 3)).toBe(3);
    const together = { ...BERT, normalizer: { type: "BertNormalizer", handle_chinese_chars: false } };
    expect(readCut(together)("真无线蓝牙耳机", 3)).toBe(7);
    const added = { ...BERT, added_tokens: [{ content: "蓝牙" }] };
    expect(readCut(added)("真无线蓝牙耳机", 3)).toBe(7);
    expect(readCut(added)(WORDS, 3)).toBe(3);
  });

  it.each<[string, Components]>([
    ["XLM-R", sequence([{ type: "Precompiled" }], [{ type: "WhitespaceSplit" }, { type: "Metaspace" }])],
    [
      "DeBERTa",
      sequence([replace("\\s{2,}|[\\n\\r\\t]"), { type: "NFC" }, { type: "Strip" }], [{ type: "Metaspace" }]),
    ],
    ["RoBERTa", { pre_tokenizer: { type: "ByteLevel" } }],
    ["digits apart", sequence([], [{ type: "Digits" }, { type: "ByteLevel" }])],
  ])("cuts texts of %s", (_, components) => {
    expect(readCut(components)(WORDS, 1)).toBe(3);
  });

  it.each<[string, Components]>([
    ["no pre-tokenizer", { ...BERT, pre_tokenizer: null }],
    ["bytes without words", { pre_tokenizer: { type: "ByteLevel", use_regex: false } }],
    ["spaces that stay inside", { pre_tokenizer: { type: "Metaspace", split: false } }],
    [
      "a pattern of its own",
      sequence([], [{ type: "Split", pattern: { Regex: ".*" } }, { type: "WhitespaceSplit" }]),
    ],
    ["pieces of fixed length", sequence([], [{ type: "FixedLength" }, { type: "WhitespaceSplit" }])],
    ["a replacement across words", { ...BERT, normalizer: { ...replace("b c"), type: "Replace" } }],
    ["a replaced phrase", { ...BERT, normalizer: { type: "Replace", pattern: { String: "usb c" } } }],
    ["a token of two words", { ...BERT, added_tokens: [{ content: "usb cable" }] }],
    ["an unknown normalizer", { ...BERT, normalizer: { type: "Future" } }],
  ])("leaves texts whole under %s", (_, components) => {
    expect(readCut(components)(WORDS, 1)).toBe(WHOLE);
  });
});

function sequence(
  normalizers: NonNullable<Components["normalizer"]>[],
  pretokenizers: NonNullable<Components["pre_tokenizer"]>[],
): Components {
  return {
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: { type: "Sequence", pretokenizers },
  };
}

function replace(pattern: string): NonNullable<Components["normalizer"]> {
  return { type: "Replace", pattern: { Regex: pattern } };
}

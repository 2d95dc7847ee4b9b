"""Token ids of Hugging Face's tokeniser, with the tokeniser of a model folder.

Calls are batched: given one text at a time, transformers 5 takes an empty second text for none,
and would leave out the template's last special token.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from assay.export.texts import Text
from assay.export.tokenizer import load_tokenizer

Case = dict[str, Any]

TEXTS = {
    "plain English": "The quick brown fox jumps over the lazy dog.",
    "capitals and hyphens": "USB-C to HDMI Adapter (4K@60Hz), Space-Gray - NEW!",
    "numbers and units": '12.5 kg, 3/4" x 1,000.00 mm, 100 % RH, 5GHz 802.11ax, -40°C..+85℃',
    "prices": "€19.99 £5 ¥3000 $1,299.00 ₹499 №5 ½ ㎏",
    "Chinese": "真无线蓝牙耳机 主动降噪 续航30小时",
    "traditional Chinese": "無線滑鼠，靜音設計。",
    "rare Chinese": "𠮷野家 㐂 豈更",
    "Chinese and English": "苹果iPhone15手机壳USB-C充电线2米",
    "Japanese": "ワイヤレスマウス ｶﾞﾗｽ 水筒５００ｍｌ が か\u3099",
    "Korean": "무선 마우스 한글",
    "Korean in conjoining jamo": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "Arabic and Hebrew": "مرحبا بالعالم שָׁלוֹם עולם",
    "Devanagari and Thai": "नमस्ते दुनिया สวัสดีชาวโลก",
    "Cyrillic and Greek": "Беспроводная мышь ёлка Ψηφιακή ΌΨΗ",
    "German": "Straße STRASSE Müller Übergröße ẞ",
    "French, composed": "café crème étoile naïve Œuvre",
    "French, decomposed": "cafe\u0301 cre\u0300me e\u0301toile nai\u0308ve",
    "Vietnamese, composed": "Tiếng Việt điện thoại",
    "Vietnamese, decomposed": "Tie\u0302\u0301ng Vie\u0323\u0302t",
    "Turkish": "İstanbul ILIK ışık",
    "stacked marks": "Z\u0351\u036b\u0343a\u0323\u0307l\u0334g\u0321o\u0315",
    "ligatures and widths": "ﬁne ﬂow ＦＵＬＬ ｗｉｄｔｈ １２３ ² ³ ™ ℡",
    "emoji": "gaming chair 🎮🪑 great 👍",
    "emoji of several parts": "👩‍👩‍👧‍👦 👨🏽‍💻 🏳️‍🌈 ❤️‍🔥 1️⃣",
    "flags": "🇫🇷🇩🇪🇨🇳 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "control characters": "a\u0000b\u0007c\u001bd\u007fe\u0085f\u009fg",
    "white space": " tab\tnew\nline\r\nnbsp\u00a0em\u2003ideographic\u3000line\u2028end ",
    "invisible": "soft\u00adhyphen zero\u200bwidth joi\u200dner bom\ufeff bidi\u202eabc\u202c",
    "replacement": "bad \ufffd byte, private \ue000, unassigned \u0378, last \U0010ffff",
    "punctuation": "...!?;:'\"`~^|\\/<>[]{}()@#$%&*_-+=",
    "Unicode punctuation": "«guillemets» “quotes” ‘single’ — – … • 、。「」（）【】",
    "symbols": "→ ⇒ ✓ ★ ∑ √ ∞ ± × ÷ α β",
    "special tokens as text": "[CLS] [SEP] [PAD] [UNK] [MASK] <s> </s> <pad>",
    "special tokens in lower case": "[cls] [sep]x[SEP]y",
    "one letter": "a",
    "space": " ",
    "empty": "",
    "subwords": "unbelievably electroencephalographically supercalifragilistic",
    "model numbers": "WH-1000XM5 27UL500-W RTX4070Ti 304XL M.2/NVMe-2280",
    "address": "https://example.com/p?id=1&x=%20#frag user@example.org",
    "mathematical letters": "𝐛𝐨𝐥𝐝 𝒔𝒄𝒓𝒊𝒑𝒕 𝔣𝔯𝔞𝔨",
}
REPEATED = {
    "long English": ("stainless steel vacuum bottle, 500 ml; ", 200),
    "long Chinese": ("不锈钢保温杯", 400),
    "long without a space": ("supercalifragilistic", 500),
    "a word of 100 letters": ("a", 100),
    "a word of 101 letters": ("a", 101),
    "long emoji": ("👩‍👩‍👧 ", 300),
}


def make_tokens(model: Path) -> Case:
    """`{tokenizer_sha256, cases}`.

    A case is `{about, text | query and document, max_tokens, ids, type_ids}`. A text is a string,
    or `{"repeat": PART, "times": N}`.
    """
    tokenizer = load_tokenizer(model)
    cases = []
    for about, first, second, tokens_max in inputs():
        query = spelled(first)
        text = Text(query) if second is None else Text(query, spelled(second))
        ids, type_ids = tokenizer.encode(text, tokens_max)
        words = {"text": first} if second is None else {"query": first, "document": second}
        cases.append(
            {"about": about, **words, "max_tokens": tokens_max, "ids": ids, "type_ids": type_ids}
        )
    digest = hashlib.sha256((model / "tokenizer.json").read_bytes()).hexdigest()
    return {"tokenizer_sha256": digest, "cases": cases}


def inputs() -> list[tuple[str, Any, Any, int]]:
    """Name, first text, second text or None, and most tokens of each case."""
    repeated = {name: {"repeat": part, "times": n} for name, (part, n) in REPEATED.items()}
    every = {**TEXTS, **repeated}
    names = list(every)
    cases: list[tuple[str, Any, Any, int]] = [(name, every[name], None, 256) for name in names]
    for index, name in enumerate(names):
        other = names[(index * 7 + 3) % len(names)]
        cases.append((f"{name} | {other}", every[name], every[other], 256))
    for name in ("empty", "plain English", "long English"):
        cases.append((f"{name} | empty", every[name], "", 256))
        cases.append((f"empty | {name}", "", every[name], 256))
    cases += _truncated()
    return cases


def _truncated() -> list[tuple[str, Any, Any, int]]:
    """Pairs of every relation of lengths at small limits: longest first, odd and even room."""
    random = np.random.default_rng(20261123)
    cases: list[tuple[str, Any, Any, int]] = []
    for tokens_max in (8, 9, 16, 17, 64):
        for first, second in [(3, 40), (40, 3), (40, 40), (39, 40), (40, 39), (0, 40), (40, 0)]:
            cases.append(
                (f"{first} words | {second} words", _words(first), _words(second), tokens_max)
            )
        for first, second in random.integers(1, tokens_max, (6, 2)).tolist():
            cases.append(
                (f"{first} words | {second} words", _words(first), _words(second), tokens_max)
            )
        cases.append(("40 words", _words(40), None, tokens_max))
    return cases


def _words(count: int) -> dict[str, Any]:
    return {"repeat": "cable ", "times": count}


def spelled(text: Any) -> str:
    """A text that may be written as a part and how often it is repeated."""
    return text if isinstance(text, str) else str(text["repeat"]) * int(text["times"])

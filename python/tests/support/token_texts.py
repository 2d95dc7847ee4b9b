"""Strings that tell tokenisers apart: all planes, scripts, cases and normal forms. Seeded."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Literal

Make = Callable[[Random], str]
LONG = os.environ.get("ASSAY_TEST_LONG") is not None

TEXT = """
usb c cable wireless mouse monitor 4k laptop 16gb ram noise cancelling headphones running
shoes women size Adapter HDMI kabel 3m café crème capsules coque étoile naïve Œuvre Straße
STRASSE Müller Übergröße ẞ printer ink İstanbul ILIK ışık Беспроводная мышь ёлка наушники
Ψηφιακή ΌΨΗ ΣΊΣΥΦΟΣ σίσυφος ὈΔΥΣΣΕΎΣ მარტო ᲛᲐᲠᲢᲝ ՀԱՅԵՐԵՆ Ꭰꭰ 𐐀𐐨 真无线蓝牙耳机 主动降噪
续航30小时 無線滑鼠 靜音設計 𠮷野家 㐂 豈更 ワイヤレスマウス ｶﾞﾗｽ 水筒５００ｍｌ 무선 마우스
한글 \u1112\u1161\u11ab مرحبا بالعالم שָׁלוֹם עולם नमस्ते दुनिया สวัสดีชาวโลก Tiếng Việt
điện thoại བོད་ཡིག ភាសាខ្មែរ မြန်မာ ኢትዮጵያ ᠮᠣᠩᠭᠣᠯ don't we're I'll they've 12.5 1,000.00 ½ ㎏
№5 €19.99 -40°C..+85℃ ``quoted'' ﬁne ＦＵＬＬ ² ™ ℡ 𝐛𝐨𝐥𝐝 𝔣𝔯𝔞𝔨 [CLS] [SEP] [MASK] [UNK] [PAD]
[cls] <s> </s> <mask> <pad> <unk> |||IP_ADDRESS||| |||EMAIL_ADDRESS||| ▁ ##ing unbelievably
electroencephalographically supercalifragilistic WH-1000XM5 M.2/NVMe-2280
https://example.com/?x=%20#f 👩\u200d👩\u200d👧\u200d👦 👨🏽\u200d💻 🏳️\u200d🌈 ❤️\u200d🔥
1️⃣ 🇫🇷🇩🇪 👍
"""
WORDS = TEXT.split()

SEPARATORS = [" "] * 8 + [
    *(
        "",
        "",
        "  ",
        "   ",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\u00a0",
        "\u3000",
        "\u2003",
        "\u2028",
        "\u2029",
    ),
    *(
        "\u0085",
        "\u200b",
        "\u200d",
        "\u2060",
        "\ufeff",
        "\u00ad",
        "-",
        "_",
        "/",
        ", ",
        "。",
        "、",
        "'",
        '"',
    ),
    *(
        "\x0b",
        "\x0c",
        "\x1c",
        "\u1680",
        "\u180e",
        "\u202f",
        "\u205f",
        "▁",
        "'s ",
        "...",
        " [MASK] ",
        "<mask>",
    ),
]
MARKS = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))]
CONTROLS = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]] + [
    *(
        "\u200b",
        "\u200c",
        "\u200d",
        "\u200e",
        "\u202a",
        "\u202e",
        "\u2066",
        "\u061c",
        "\ufeff",
        "\ufffd",
    ),
    *(
        "\ufff9",
        "\ufffe",
        "\uffff",
        "\ue000",
        "\u0378",
        "\U000e0001",
        "\U000e0067",
        "\U000f0000",
        "\U0010ffff",
    ),
]
BLOCKS = 0x100  # code points that a run of one script is drawn from
# Where the characters are: blocks of all planes that have any assigned.
ASSIGNED = [
    block
    for block in range(0, sys.maxunicode + 1, BLOCKS)
    if any(unicodedata.category(chr(block + i)) not in ("Cn", "Cs") for i in range(0, BLOCKS, 5))
]
CASES: list[Callable[[str], str]] = [str.upper, str.lower, str.title, str.swapcase, str.casefold]
FORMS: list[Literal["NFC", "NFD", "NFKC", "NFKD"]] = ["NFC", "NFD", "NFKC", "NFKD"]


def code_points(random: Random) -> str:
    """A word with a character of any plane in its middle."""
    code = random.choice(ASSIGNED) + random.randrange(BLOCKS)
    if random.random() < 0.2:
        code = random.randrange(sys.maxunicode + 1)
    return f"case{character(code)}iphone"


def script(random: Random) -> str:
    """Words of one block, sometimes of two."""
    blocks = random.choices(ASSIGNED, k=random.choice([1, 1, 2]))
    return join(
        random,
        [
            "".join(
                character(random.choice(blocks) + random.randrange(BLOCKS))
                for _ in range(random.randint(1, 9))
            )
            for _ in range(random.randint(1, 5))
        ],
    )


def words(random: Random) -> str:
    """Known words, in other cases and forms, with what may stand between."""
    chosen = random.choices(WORDS, k=random.randint(0, 9))
    return join(random, [changed(random, word) for word in chosen])


def marks(random: Random) -> str:
    """Letters under several marks in any order, conjoining jamo, voiced half-width kana."""
    letters = "aeiouAEIOUлєΩא한ｶﾊがの가각ཀकক"
    stacked = [
        random.choice(letters) + "".join(random.choices(MARKS, k=random.randint(0, 4)))
        for _ in range(random.randint(1, 4))
    ]
    jamo = "".join(
        chr(random.choice([0x1100, 0x1160, 0x11A7]) + random.randrange(0x1C)) for _ in range(3)
    )
    kana = "".join(chr(random.randrange(0xFF61, 0xFFA0)) for _ in range(3))
    return join(random, [*stacked, *random.sample([jamo, kana], random.randint(0, 2))])


def controls(random: Random) -> str:
    """Words with controls, joiners, unassigned and private characters among them."""
    text = list(words(random))
    for _ in range(random.randint(1, 5)):
        text.insert(random.randint(0, len(text)), random.choice(CONTROLS))
    return "".join(text)


def emoji(random: Random) -> str:
    """Sequences with joiners, modifiers, selectors, flags and tags."""
    parts = [
        *(chr(random.randrange(0x1F300, 0x1FAFF)) for _ in range(4)),
        *(
            "\u200d",
            "\ufe0f",
            "\u20e3",
            "1",
            "#",
            "♀",
            "❤",
            chr(random.randrange(0x1F3FB, 0x1F400)),
        ),
        *(chr(random.randrange(0x1F1E6, 0x1F200)) for _ in range(2)),
        chr(random.randrange(0xE0020, 0xE0080)),
    ]
    return "".join(random.choices(parts, k=random.randint(1, 12)))


def long(random: Random) -> str:
    """More than a limit of tokens takes: words, ideographs, one word, no place to cut."""
    unit = random.choice(
        [
            words(random) or "a",
            join(random, random.choices(WORDS, k=20)),
            "不锈钢保温杯",
            "a" * random.randint(90, 110) + " ",
            "supercalifragilistic",
            script(random),
            "👩‍👩‍👧 ",
            random.choice(SEPARATORS) or "x",
        ]
    )
    text = unit * (random.randint(100, 500) // len(unit) + 1)
    return text + words(random)


KINDS: list[tuple[Make, int]] = [
    (code_points, 5),
    (script, 4),
    (words, 5),
    (marks, 3),
    (controls, 2),
    (emoji, 2),
    (long, 1),
]


def make_text(random: Random) -> str:
    """One string of any kind."""
    (make,) = random.choices([make for make, _ in KINDS], [share for _, share in KINDS])
    return make(random)


def every_character(size: int) -> list[str]:
    """All code points but surrogates, `size` of them in a string, each in a word of its own."""
    codes = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    return [
        " ".join(f"a{chr(code)}b" for code in codes[at : at + size])
        for at in range(0, len(codes), size)
    ]


def variants() -> list[str]:
    """Each line of known words as it is, in every case, and in every normal form."""
    return [
        text
        for line in TEXT.strip().splitlines()
        for text in (
            line,
            *(change(line) for change in CASES),
            *(unicodedata.normalize(form, line) for form in FORMS),
        )
    ]


def changed(random: Random, word: str) -> str:
    if random.random() < 0.3:
        word = random.choice(CASES)(word)
    if random.random() < 0.3:
        word = unicodedata.normalize(random.choice(FORMS), word)
    return word


def join(random: Random, parts: list[str]) -> str:
    text = "".join(part + random.choice(SEPARATORS) for part in parts)
    return text if random.random() < 0.3 else text.strip(" ")


def character(code: int) -> str:
    """The character; U+FFFD for a surrogate, which no UTF-8 holds."""
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)

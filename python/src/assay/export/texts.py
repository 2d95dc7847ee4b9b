"""Texts of the project's own: what an export is checked on when the user brings none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.export.errors import ExportError
from assay.lines import read_objects


@dataclass(frozen=True)
class Text:
    """One input of a ranker: a query and a document, or a single text (`document` is None)."""

    query: str
    document: str | None = None

    def entry(self) -> dict[str, str]:
        """The text as manifests and requests write it."""
        if self.document is None:
            return {"text": self.query}
        return {"query": self.query, "document": self.document}


def texts_of(samples: Sequence[Mapping[str, Any]]) -> list[Text]:
    """The texts of a self-test's samples."""
    return [Text(s["text"]) if "text" in s else Text(s["query"], s["document"]) for s in samples]


BUILTIN_PAIRS = "pairs of the exporter's own texts"  # the name of `builtin_pairs`
QUERIES = (
    "usb c cable",
    "wireless mouse",
    "27 inch 4k monitor",
    "laptop 16gb ram",
    "noise cancelling headphones",
    "running shoes women size 39",
    "hdmi 2.1 kabel 3m",
    "café crème capsules",
    "coque iphone 15 pro",
    "no-frost refrigerator 300 l",
    "printer ink 304xl black",
    "mechanische tastatur",
    "蓝牙耳机",
    "苹果手机充电器",
    "儿童自行车 16寸",
    "gaming chair",
    "ssd 1tb nvme",
    "水筒 500ml",
)
DOCUMENTS = (
    "USB-C to USB-C charging cable, 2 m, 60 W, braided",
    "Logitech M185 wireless mouse, 2.4 GHz, grey",
    'LG 27UL500-W 27" UHD 3840 x 2160 IPS monitor, HDR10',
    'Notebook 15.6", Core i5, 16 GB RAM, 512 GB SSD, Windows 11',
    "Over-ear headphones with active noise cancelling, 30 h battery",
    "Women's road running shoe, EU 39, breathable mesh",
    "High-speed HDMI-Kabel 2.1, 3 m, 8K, vergoldete Kontakte",
    "Capsules de café crème, compatibles Nespresso, 50 pièces",
    "Coque de protection transparente pour iPhone 15 Pro",
    "Fridge freezer, total no frost, 310 l, energy class E",
    "Original ink cartridge black 304XL, 300 pages",
    "Mechanische Gaming-Tastatur, rote Schalter, QWERTZ, RGB",
    "真无线蓝牙耳机 主动降噪 续航30小时",
    "20W 快速充电器 适用于苹果手机 Type-C",
    "16寸儿童自行车 带辅助轮 红色",
    "Ergonomic gaming chair, lumbar support, up to 150 kg 🎮",
    "NVMe M.2 SSD 1 TB, 7000 MB/s, PCIe 4.0",
    "Garden hose 25 m with spray gun",
)
LONG_WORDS = (
    "stainless steel vacuum bottle keeps drinks cold for 24 hours and hot for 12, "
    "不锈钢保温杯 leak-proof lid, 500 ml; "
)
LONG_WORDS_TOKENS = 20  # at least


def builtin_pairs() -> list[Text]:
    """Every query with every document: few of them relevant, as in a search."""
    return [Text(query, document) for query in QUERIES for document in DOCUMENTS]


def check_texts(tokens_max: int) -> list[Text]:
    """Thirty-two texts with the edges that a trace could get wrong: empty, single, long, mixed."""
    long = _long_text(tokens_max)
    pairs = [Text(q, d) for q, d in zip(QUERIES, DOCUMENTS, strict=True)]
    edges = [
        Text("usb c cable", ""),
        Text("", "USB-C cable"),
        Text("", ""),
        Text(""),
        Text("a"),
        Text("water bottle", long),
        Text(long, "bottle"),
        Text(long, long),
        Text(long),
        Text("👩‍👩‍👧 family 🇫🇷", "e\u0301toile étoile \u200b zero width"),
        Text("\u0000\u0007control", "tab\tnew\nline"),
        Text("שלום", "مرحبا بالعالم"),
        Text("[SEP] [PAD] <s> </s>", "[CLS] <pad>"),
        Text('12.5 kg 3/4" 100% 1,000.00', "€19.99 №5 ½ ㎏"),
    ]
    return pairs + edges


def self_test_texts(tokens_max: int) -> list[Text]:
    """What a service runs when it loads the folder."""
    return [
        Text("usb c cable", "USB-C charging cable, 2 m"),
        Text("蓝牙耳机", "真无线蓝牙耳机 主动降噪 续航30小时"),
        Text("usb c cable", ""),
        Text("water bottle", _long_text(tokens_max)),
        Text("a single text, without a second one"),
    ]


def _long_text(tokens_max: int) -> str:
    """A text a little longer than `tokens_max` in any vocabulary.

    Not much longer: the tokenizers library encodes every combination of the pieces it cuts off.
    """
    return LONG_WORDS * (tokens_max // LONG_WORDS_TOKENS + 1)


def read_texts(path: Path) -> list[Text]:
    """Texts of a JSONL file, one `{"query", "document"}` or `{"text"}` a line.

    Raises:
        ExportError: a line is neither, or the file is empty.
    """
    texts = []
    for number, row in read_objects(path, ExportError):
        match row:
            case {"text": str(text)}:
                texts.append(Text(text))
            case {"query": str(query), "document": str(document)}:
                texts.append(Text(query, document))
            case _:
                raise ExportError(
                    f"{path.name}, line {number}: expected query and document, or text"
                )
    if not texts:
        raise ExportError(f"{path.name} holds no texts")
    return texts

"""Logits and feature norms of a model folder in PyTorch, on the weights as stored.

Weights are dequantised into the Hugging Face model, which runs in float64, so that the figures
are those of the stored weights and not of one order of summation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assay.export.restore import restore_folder
from assay.export.texts import Text

TEXTS = [
    Text("usb c cable", "USB-C charging cable 2 m, 60 W, nylon braided, black"),
    Text("usb c cable", "HDMI cable 1.5 m with Ethernet"),
    Text("usb c cable", "Garden chair, set of two, foldable"),
    Text("usb c cable", ""),
    Text("", "USB-C charging cable 2 m"),
    Text("", ""),
    Text("wireless mouse", "Silent wireless mouse, 2.4 GHz receiver, 1600 dpi, grey"),
    Text("wireless mouse", "Mouse pad XXL, 900 x 400 mm, non-slip"),
    Text("wireless mouse", "Wired optical mouse, USB, 1.8 m"),
    Text("27 inch monitor 4k", '27" UHD monitor, 3840 x 2160, IPS, HDR, height adjustable'),
    Text("27 inch monitor 4k", '24" Full HD monitor, 1920 x 1080, 75 Hz'),
    Text("27 inch monitor 4k", "Monitor arm for screens of 17 to 32 inches"),
    Text("laptop 16gb", 'Notebook 14", 16 GB RAM, 512 GB SSD, backlit keyboard'),
    Text("laptop 16gb", "16 GB DDR4 memory module for notebooks, 3200 MHz"),
    Text("laptop 16gb", "Laptop sleeve 14 inch, felt"),
    Text("printer ink black", "Ink cartridge, black, high yield, 800 pages"),
    Text("printer ink black", "Laser toner, cyan, 1500 pages"),
    Text("running shoes women 39", "Women's running shoe, size 39, cushioned, mesh"),
    Text("running shoes women 39", "Men's hiking boot, waterproof, size 44"),
    Text("coffee machine", "Fully automatic espresso machine with milk frother, 15 bar"),
    Text("coffee machine", "Descaling tablets for coffee machines, 10 pieces"),
    Text("kopfhörer mit geräuschunterdrückung", "Over-Ear-Kopfhörer, aktive Geräuschunterdrückung"),
    Text("aspirateur sans fil", "Aspirateur balai sans fil, 45 min d'autonomie, 0,6 l"),
    Text("aspirateur sans fil", "Fer à repasser vapeur, 2400 W"),
    Text("蓝牙耳机", "真无线蓝牙耳机，主动降噪，续航三十小时"),
    Text("蓝牙耳机", "儿童自行车 16寸 带辅助轮"),
    Text("苹果充电器", "20W USB-C power adapter for Apple iPhone"),
    Text("ノートパソコン", "14型ノートパソコン メモリ16GB SSD512GB"),
    Text("شاحن سريع", "شاحن USB-C بقدرة 65 واط"),
    Text("беспроводная мышь", "Мышь беспроводная, тихая, чёрная"),
    Text("gift for gamer 🎮", "Gaming chair with lumbar support 🪑"),
    Text("e\u0301toile", "étoile filante, lampe décorative"),
    Text("WH-1000XM5", "Noise cancelling headphones WH-1000XM5, silver"),
    Text("WH-1000XM5", "Noise cancelling headphones WH-1000XM4, silver"),
    Text("ssd 1tb", "NVMe SSD 1 TB, M.2 2280, 7000 MB/s. " * 12),
    Text("steel bottle", "Vacuum bottle of stainless steel, 500 ml, leak-proof; " * 60),
    Text("a very long query about bottles " * 60, "Vacuum bottle"),
    Text("long query " * 200, "long document " * 200),
    Text("a single text"),
    Text("一段单独的文字"),
    Text(""),
]


def make_logits(model: Path) -> dict[str, Any]:
    """`{weights_sha256, cases}`: a case is `{query, document | text, logits, features_squared}`.

    `logits` holds K numbers, `features_squared` is the squared norm of the features (H).
    """
    restored = restore_folder(model)
    restored.checkpoint.model.to(torch.float64)
    outputs = restored.outputs(TEXTS)
    squares = (outputs.features**2).sum(axis=1)
    cases = [
        {**text.entry(), "logits": logits.tolist(), "features_squared": float(square)}
        for text, logits, square in zip(TEXTS, outputs.logits, squares, strict=True)
    ]
    digest = restored.manifest["files"]["weights.bin"]["sha256"]
    return {"weights_sha256": digest, "cases": cases}

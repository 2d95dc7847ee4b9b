"""Trains a small relevance model on batches weighed by Assay: python examples/train.py DATA.jsonl

The weights say what matters to the ranker that the service runs, not to the model trained here;
serve your own ranker to weigh for it. Needs torch and the client (pip install ./python). A key is
read from ASSAY_API_KEY.
"""

import argparse
import json
import zlib

import torch

from assay import AssayError, Client

BUCKETS = 2**14
WEIGHTING = {"signal": "grad_norm_last", "scheme": "proportional", "smoothing": 0.1, "clip": 4}


def features(sample):
    """Counts of hashed pairs of a query's and a document's word; bucket 0 is for equal words."""
    query, document = (sample[name].lower().split() for name in ("query", "document"))
    pairs = [f"{q} {d}" if q != d else "" for q in query for d in document]
    hashed = [zlib.crc32(pair.encode()) % BUCKETS for pair in pairs]  # crc32 of nothing is 0
    return torch.tensor(hashed, dtype=torch.long).bincount(minlength=BUCKETS).float()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", help="JSONL of samples: id, query, document, label")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--dataset", default="train")
parser.add_argument("--epochs", type=int, default=3)
options = parser.parse_args()
with open(options.data, encoding="utf-8-sig") as lines:
    samples = [json.loads(line) for line in lines]

torch.manual_seed(0)
model = torch.nn.Linear(BUCKETS, 1)
loss = torch.nn.BCEWithLogitsLoss(reduction="none")  # one loss a sample, to be weighed
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def train(client):
    """One epoch after another; each batch is scored and weighed before its step."""
    # Mean-1 weights with .mean() keep the learning rate; sum-1 weights would want .sum().
    weighting = WEIGHTING | {"normalise": "mean"}
    for epoch in range(options.epochs):
        order, total, cached = torch.randperm(len(samples)).tolist(), 0.0, 0
        for batch in ([samples[i] for i in order[at : at + 32]] for at in range(0, len(order), 32)):
            scores = client.score(batch, dataset=options.dataset, weighting=weighting)
            weights = torch.tensor(scores["weight"])
            labels = torch.tensor([float(sample["label"]) for sample in batch])
            losses = loss(model(torch.stack([features(s) for s in batch])).squeeze(1), labels)
            optimizer.zero_grad()
            (losses * weights).mean().backward()
            optimizer.step()
            total += losses.sum().item()
            cached += scores.cache_hits
        print(
            f"epoch {epoch + 1}: loss {total / len(samples):.3f}, {cached} samples from the cache"
        )


try:
    with Client(options.url) as client:
        train(client)
        # A batch's weights compare its own samples; the dataset's compare all, for any process.
        client.weigh(options.dataset, **WEIGHTING)
        found = client.weights([sample["id"] for sample in samples], dataset=options.dataset)
except AssayError as error:
    raise SystemExit(str(error)) from None
print(f"{len(found)} ids have weights, which sum to {sum(found):.6f}. The heaviest:")
for weight, s in sorted(zip(found, samples, strict=True), key=lambda pair: -pair[0])[:5]:
    print(f"{weight:.4f} {s['id']} label {s['label']}: {s['query']} | {s['document']}")  # wrong?

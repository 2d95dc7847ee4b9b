"""Trains a small relevance model on batches weighed by Assay: python examples/train.py DATA.jsonl

The weights say what matters to the ranker that the service runs, not to the model trained here;
serve your own ranker to weigh for it. Needs torch. A key is read from ASSAY_API_KEY.
"""

import argparse
import json
import os
import urllib.error
import urllib.request
import zlib

import torch

BUCKETS = 2**14
KEY = os.environ.get("ASSAY_API_KEY", "")  # a service without keys reads none
WEIGHTING = {"signal": "grad_norm_last", "scheme": "proportional", "smoothing": 0.1, "clip": 4}


def post(url, body):
    """Posts JSON and returns the answer; ends the program with the reason where there is none."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    try:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:  # its body is a problem (RFC 9457), made to be read
        raise SystemExit(f"{url}: {error.code}, {json.load(error)['detail']}") from None
    except OSError as error:
        raise SystemExit(f"{url} does not answer: {error}") from None


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
for epoch in range(options.epochs):
    order, total, cached = torch.randperm(len(samples)).tolist(), 0.0, 0
    for batch in ([samples[i] for i in order[at : at + 32]] for at in range(0, len(order), 32)):
        # Mean-1 weights with .mean() keep the learning rate; sum-1 weights would want .sum().
        weighting = WEIGHTING | {"normalise": "mean"}
        body = {"dataset": options.dataset, "samples": batch, "weighting": weighting}
        answer = post(f"{options.url}/v1/score", body)
        weights = torch.tensor([result["weight"] for result in answer["results"]])
        labels = torch.tensor([float(sample["label"]) for sample in batch])
        losses = loss(model(torch.stack([features(s) for s in batch])).squeeze(1), labels)
        optimizer.zero_grad()
        (losses * weights).mean().backward()
        optimizer.step()
        total += losses.sum().item()
        cached += answer["diagnostics"]["cache_hits"]
    print(f"epoch {epoch + 1}: loss {total / len(samples):.3f}, {cached} samples from the cache")

# A batch's weights compare its own samples; the dataset's compare all, for any process, by id.
dataset_url = f"{options.url}/v1/datasets/{options.dataset}"
post(f"{dataset_url}/weights", {"weighting": WEIGHTING})
found = post(f"{dataset_url}/lookup", {"ids": [sample["id"] for sample in samples]})["results"]
weight = {result["id"]: result["weight"] for result in found}
print(f"{len(weight)} ids have weights, which sum to {sum(weight.values()):.6f}. The heaviest:")
for s in sorted(samples, key=lambda s: -weight[s["id"]])[:5]:  # read them: a label may be wrong
    print(f"{weight[s['id']]:.4f} {s['id']} label {s['label']}: {s['query']} | {s['document']}")

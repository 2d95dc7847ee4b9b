"""Weights for libraries that take sample_weight: python examples/sklearn_weights.py DATA.jsonl

Scores pairs with the model of a service, weighs them, and fits a classifier of scikit-learn.
"""

import argparse
import json

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from assay import Client
from assay.integrations import multipliers, write_weights

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", help="JSONL of samples: id, query, document, label")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--dataset", default="sklearn")
parser.add_argument("--out", default="weights.parquet")
options = parser.parse_args()
with open(options.data, encoding="utf-8-sig") as lines:
    pairs = [json.loads(line) for line in lines]
ids = [pair["id"] for pair in pairs]
labels = [pair["label"] for pair in pairs]

with Client(options.url) as client:
    client.score(pairs, dataset=options.dataset, signals=["loss", "grad_norm_last"])
    client.weigh(options.dataset, signal="grad_norm_last", smoothing=0.1)
    # Their mean is 1, which keeps the scale of the loss, and so the strength of the regularisation.
    sample_weight = multipliers(client, ids, dataset=options.dataset)

texts = [f"{pair['query']} {pair['document']}" for pair in pairs]
features = HashingVectorizer(n_features=2**12).fit_transform(texts)
model = LogisticRegression().fit(features, labels, sample_weight=sample_weight)
# Keras and LightGBM take the same array: model.fit(x, y, sample_weight=sample_weight),
# lightgbm.Dataset(x, y, weight=sample_weight).
print(f"accuracy on the same pairs: {model.score(features, labels):.3f}")

write_weights(options.out, ids, sample_weight)
print(f"{len(ids)} weights of mean {sample_weight.mean():.3f} are in {options.out}")

"""CrossEncoder.predict over one JSON line of pairs after another: `PATH THREADS BATCH`."""

import json
import sys
import time

import torch
from sentence_transformers import CrossEncoder

path, threads, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
model = CrossEncoder(path, device="cpu", activation_fn=torch.nn.Identity())
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    pairs = [(query, document) for query, document in json.loads(line)]
    started = time.perf_counter()
    scores = model.predict(pairs, batch_size=batch, show_progress_bar=False)
    elapsed = time.perf_counter() - started
    print(json.dumps({"elapsed_ms": elapsed * 1000, "scores": scores.tolist()}), flush=True)

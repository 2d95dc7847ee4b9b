"""LitServe around a CrossEncoder: `PATH PORT THREADS`. Lists of pairs in, their logits out."""

import sys
from typing import Any

import litserve
import torch
from sentence_transformers import CrossEncoder

PATH, PORT, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Ranker(litserve.LitAPI):
    def setup(self, device: str) -> None:
        torch.set_num_threads(THREADS)
        self.model = CrossEncoder(PATH, device="cpu", activation_fn=torch.nn.Identity())

    def decode_request(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        return [(query, document) for query, document in request["pairs"]]

    def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
        return self.model.predict(pairs, batch_size=16, show_progress_bar=False).tolist()

    def encode_response(self, scores: list[float]) -> dict[str, list[float]]:
        return {"scores": scores}


if __name__ == "__main__":
    server = litserve.LitServer(Ranker(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning")

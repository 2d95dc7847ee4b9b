"""Per-sample gradient norms of the loss over all parameters, in the three ways of PyTorch.

PATH THREADS BATCH, then `{"method", "pairs": [[query, document, label], …]}` a line. `loop` is a
backward pass a sample, `vmap` torch.func's vmap(grad) on padded batches, `ghost` Opacus's ghost
norms (Li et al. 2022, arXiv:2110.05679) on the same; both take pairs in the order of their lengths.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from opacus.grad_sample import GradSampleModuleFastGradientClipping
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, AutoTokenizer

Inputs = dict[str, Tensor]


def main(path: str, threads: int, batch: int) -> None:
    """Answers `{"elapsed_ms", "norms"}` a line, in the order of the pairs."""
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(path)
    methods = {
        "loop": (make_loop(load_model(path)), 1),
        "vmap": (make_vmap(load_model(path)), batch),
        "ghost": (make_ghost(load_model(path)), batch),
    }
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        norms_of, size = methods[request["method"]]
        norms = score(norms_of, size, tokenizer, request["pairs"])
        elapsed = time.perf_counter() - started
        print(json.dumps({"elapsed_ms": elapsed * 1000, "norms": norms}), flush=True)


def load_model(path: str) -> Any:
    """The ranker without dropout, in training mode, which Opacus's hooks ask for."""
    model = AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.train()


def score(
    norms_of: Callable[[Inputs, Tensor], Tensor], size: int, tokenizer: Any, pairs: list[Any]
) -> list[float]:
    """Norms in the order of the pairs; batches hold pairs of like lengths."""
    queries, documents, labels = zip(*pairs, strict=True)
    encoded = tokenizer(queries, documents, truncation="longest_first")
    order = sorted(range(len(pairs)), key=lambda i: -len(encoded["input_ids"][i]))
    norms = [0.0] * len(pairs)
    for start in range(0, len(order), size):
        places = order[start : start + size]
        rows = {name: [encoded[name][i] for i in places] for name in encoded}
        inputs = dict(tokenizer.pad(rows, return_tensors="pt"))
        # A row of its own for each sample, or the position table's gradient is the batch's.
        width = inputs["input_ids"].shape[1]
        inputs["position_ids"] = torch.arange(width).repeat(len(places), 1)
        # Additive and four-dimensional: transformers then looks at no value, which vmap forbids.
        mask = 1.0 - inputs["attention_mask"][:, None, None, :].float()
        inputs["attention_mask"] = mask * torch.finfo(torch.float32).min
        found = norms_of(inputs, torch.tensor([float(labels[i]) for i in places]))
        for place, norm in zip(places, found.tolist(), strict=True):
            norms[place] = norm
    return norms


def make_loop(model: Any) -> Callable[[Inputs, Tensor], Tensor]:
    """One sample at a time."""
    parameters = list(model.parameters())

    def norms_of(inputs: Inputs, labels: Tensor) -> Tensor:
        loss = functional.binary_cross_entropy_with_logits(model(**inputs).logits[:, 0], labels)
        gradients = torch.autograd.grad(loss, parameters)
        return torch.stack(torch._foreach_norm(gradients)).norm()[None]

    return norms_of


def make_vmap(model: Any) -> Callable[[Inputs, Tensor], Tensor]:
    """Per-sample gradients of a batch, all of them in memory at once."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def loss_of(parameters: Inputs, inputs: Inputs, label: Tensor) -> Tensor:
        one = {name: value[None] for name, value in inputs.items()}
        logit = torch.func.functional_call(model, (parameters, buffers), (), one).logits[0, 0]
        return functional.binary_cross_entropy_with_logits(logit, label)

    gradients_of = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))

    def norms_of(inputs: Inputs, labels: Tensor) -> Tensor:
        gradients = gradients_of(parameters, inputs, labels)
        return sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt()

    return norms_of


def make_ghost(model: Any) -> Callable[[Inputs, Tensor], Tensor]:
    """One forward and one backward pass a batch; the hooks of Opacus leave the norms behind."""
    hooked = GradSampleModuleFastGradientClipping(
        model, max_grad_norm=1.0, use_ghost_clipping=True, loss_reduction="sum"
    )

    def norms_of(inputs: Inputs, labels: Tensor) -> Tensor:
        logits = hooked(**inputs).logits[:, 0]
        functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum").backward()
        norms = hooked.get_norm_sample()
        hooked.zero_grad()
        return norms.detach()

    return norms_of


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

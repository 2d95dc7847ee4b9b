"""Trains a CrossEncoder on draws weighted by Assay: python examples/finetune_reranker.py DATA.jsonl

finetune_reranker_plain.py is the same without Assay: an import and two statements more. A service
runs at --url (npm start). It needs no model, because the trainer posts its own logits.
"""

from sentence_transformers.cross_encoder import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from tiny_ranker import make_tiny_bert, read_arguments, read_pairs

from assay import Client
from assay.integrations import attach

options = read_arguments(__doc__)
pairs = read_pairs(options.data)
model = CrossEncoder(make_tiny_bert(pairs, f"{options.out}/base"), num_labels=1)
trainer = CrossEncoderTrainer(
    model=model,
    args=CrossEncoderTrainingArguments(
        output_dir=options.out,
        num_train_epochs=options.epochs,
        per_device_train_batch_size=16,
        learning_rate=2e-3,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="epoch",
    ),
    train_dataset=pairs,
    loss=BinaryCrossEntropyLoss(model),
)
client = Client(options.url)
attach(trainer, client, dataset=options.dataset, wait_s=10)  # An epoch here is over in a blink.
trainer.train()
scores = model.predict(list(zip(pairs["query"], pairs["document"], strict=True)))
right = ((scores > 0.5) == (pairs.with_format("numpy")["label"][:] > 0.5)).mean()
print(f"{right:.0%} of {len(pairs)} pairs are right")

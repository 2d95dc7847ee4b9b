"""Trains a CrossEncoder without Assay: python examples/finetune_reranker_plain.py DATA.jsonl"""

from sentence_transformers.cross_encoder import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from tiny_ranker import make_tiny_bert, read_arguments, read_pairs

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
    train_dataset=pairs.remove_columns("id"),
    loss=BinaryCrossEntropyLoss(model),
)
trainer.train()
scores = model.predict(list(zip(pairs["query"], pairs["document"], strict=True)))
right = ((scores > 0.5) == (pairs.with_format("numpy")["label"][:] > 0.5)).mean()
print(f"{right:.0%} of {len(pairs)} pairs are right")

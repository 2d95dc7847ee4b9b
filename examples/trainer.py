"""Trains a classifier with the Trainer of Hugging Face: python examples/trainer.py DATA.jsonl

A service runs at --url (npm start). It needs no model, because the trainer posts its own logits.
"""

from tiny_ranker import make_tiny_bert, read_arguments, read_pairs
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from assay import Client
from assay.integrations import attach

options = read_arguments(__doc__)
pairs = read_pairs(options.data)
checkpoint = make_tiny_bert(pairs, f"{options.out}/base")
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=options.out,
        num_train_epochs=options.epochs,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        learning_rate=2e-3,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="epoch",
    ),
    train_dataset=pairs.map(lambda row: tokenizer(row["query"], row["document"])),
    data_collator=DataCollatorWithPadding(tokenizer),
)
client = Client(options.url)
attach(trainer, client, dataset=options.dataset, loss="bce", wait_s=10)  # Wait: epochs are short.
trainer.train()
print(f"trained on {len(pairs)} pairs")

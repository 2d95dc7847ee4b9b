"""The exporter: a Hugging Face sequence classification checkpoint to a model folder."""

"""New weights from a trainer's model. What is here imports torch, at the call."""

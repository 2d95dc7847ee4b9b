"""The gradient graphs: per-sample gradients of the logits over all parameters, without autograd.

An exported backward pass is written out by hand here, as the forward pass of the graphs is, so that
it runs on rows and leaves out what the last layer's one query makes needless.
"""

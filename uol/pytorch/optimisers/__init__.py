"""Optimisers with the steps of `uol.ops.foreach`.

classes           `uol.SGD` and `uol.AdamW`, which are torch.optim's
narrow_copies     `uol.NarrowCopies`: what a module computes with where its parameters are wide
"""

"""Gradients of random texts as PyTorch runs them: an operator that is registered, its kernels on the CPU, PyTorch's backward
pass and the backward pass of that."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from uol.conformance.autograd.oracle import gradients, gradients_of
from uol.conformance.gradients.trial import Outcome, drawn, instance_of, judged
from uol.conformance.random_texts.texts import RandomText
from uol.ir import UolError, interpret
from uol.ir.types import is_float
from uol.operators.registration import op as registered


def kernel_trial(text: RandomText) -> Outcome:
    """A text whose gradients are finite, on its inputs in f64. Its operators stay registered."""
    run = registered(text.text)
    forward = instance_of(text.text, text.dims)
    inputs = {t.name: text.inputs[t.name] for t in forward.by_role("in")}
    cotangents, directions = drawn(forward, interpret(forward, inputs), inputs, text.number)
    owed = gradients(forward, inputs, cotangents, directions)

    def by_kernels(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = [tensors[p.name] if is_float(p.dtype) else tensors[p.name].to(torch.int32) for p in forward.by_role("in")]
        found = run(*given)
        return dict(zip(owed.results, found if isinstance(found, tuple) else (found,), strict=True))

    try:
        return judged(gradients_of(by_kernels, inputs, cotangents, directions), owed)
    except UolError as error:
        return Outcome("refused", f"{type(error).__name__}: {error.message}")

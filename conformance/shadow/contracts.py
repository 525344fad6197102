"""A kernel's results, by the contract of its operator (`accuracy/`): the values that its text admits at the inputs it had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uol.compilation.pipeline import program_of
from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.accuracy.contracts import contract
from uol.conformance.accuracy.error_analysis import Enclosed, enclose
from uol.conformance.accuracy.index_space import extent_of
from uol.conformance.accuracy.interval import Enclosure
from uol.conformance.cases.twin_check import compare_result
from uol.conformance.shadow.faults import Fault
from uol.ir.program.dtype_encoding import STORAGE, decode
from uol.ir.program.nodes import Expr, Program
from uol.ir.program.walk import axes_of
from uol.pytorch.launch_plan import Prepared

MOST_TERMS = 2**31
"""Terms of one statement up to which admitted values are worked out; beyond, a call is judged beside PyTorch alone. Products of
f32 over so many take seconds in float64; where indices are conditions, as in the gradient of a convolution with a stride, the
terms are evaluated one by one, and 2^32 of them took three minutes on a core."""
SILENT = "the contract says nothing here"
"""How a comparison begins where inputs overflow: no bound is owed then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a kernel. `fault`: the first element that is not admitted; `without`: why no verdict is had, in words;
    `admitted`: what is, by the places of results in memory."""

    fault: Fault | None = None
    without: str = ""
    admitted: Mapping[int, Enclosure] = field(default_factory=dict)


def judged(call: Prepared, inputs: list[Tensor], outs: list[Tensor]) -> Verdict:
    """The verdict on a kernel's results, by the inputs that it had."""
    request = call.asked
    program = program_of(request)
    if terms(program) > MOST_TERMS:
        return Verdict(without=f"more than 2^{MOST_TERMS.bit_length() - 1} terms: beside PyTorch alone")
    wide = call.expand or (None,) * len(inputs)
    named = zip(program.by_role("in"), inputs, wide, strict=True)
    values = {t.name: decode(_stored(x if size is None else x.expand(size), t.dtype), t.dtype) for t, x, size in named}
    scalars = {s.name: request.instance.attrs[s.name] for s in program.scalars}
    owed = contract(request.target.name.partition(":")[0], program.name)
    admitted = enclose(program, values, scalars, owed.in_tf32() if request.tf32 else owed)
    for tensor, y in zip(program.by_role("out"), outs, strict=True):
        stored = _stored(y, tensor.dtype)
        found = compare_result(tensor, stored, admitted)
        if found.reason.startswith(SILENT):
            return Verdict(without="inputs overflow: beside PyTorch alone")
        if not found.ok:
            return Verdict(_fault(program.name, tensor.name, found, decode(stored, tensor.dtype), admitted))
    names = [t.name for t in program.by_role("out")]
    return Verdict(admitted={y.data_ptr(): admitted[name] for name, y in zip(names, outs, strict=True) if y.numel()})


def is_admitted(exact: Tensor, enclosure: Enclosure) -> bool:
    """Does a kernel's contract admit the values that PyTorch gives in float64?"""
    values = exact.detach().double().cpu().numpy()
    low, high = np.asarray(enclosure.low), np.asarray(enclosure.high)
    if values.size != low.size:
        return False
    values = values.reshape(low.shape)
    return bool(((low <= values) & (values <= high)).all())


def terms(program: Program) -> int:
    """Those of the largest statement: its elements, times what is folded for each."""
    return max(prod(extent_of(a.extent) for a in stage.axes) * _folded(stage.value) for stage in program.stages)


def _folded(expr: Expr) -> int:
    own = prod(extent_of(a.extent) for a in axes_of(expr))
    return own * max(map(_folded, expr.children), default=1)


def _stored(x: Tensor, dtype: str) -> NDArray[Any]:
    """The tensor as a buffer of the language's type."""
    plain = x.detach().resolve_conj().resolve_neg().cpu().contiguous()
    size = np.dtype(STORAGE[dtype]).itemsize
    if dtype in ("bf16", "f8e4m3", "f8e5m2"):  # which numpy has no type for
        return plain.view(torch.int16 if size == 2 else torch.uint8).numpy().view(STORAGE[dtype])
    return np.asarray(plain.numpy())


def _fault(op: str, result: str, found: Comparison, values: NDArray[Any], admitted: Enclosed) -> Fault:
    enclosure = admitted[result]
    at = found.worst
    sides = (enclosure.low, enclosure.high, enclosure.value)
    low, high, owed = (np.broadcast_to(np.asarray(each), values.shape)[at].item() for each in sides)
    what, bound = f"{op}'s kernel, result {result}", f"{low!r} to {high!r}"
    return Fault(what, at, values[at].item(), owed, "the text's value is", bound, found.reason)

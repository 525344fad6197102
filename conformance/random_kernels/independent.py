"""What PyTorch's autograd says of a text: its results, and the gradient by its inputs, in float64 from the text as written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from uol.binding.named_binding import bind_names
from uol.conformance.accuracy.interval import Array
from uol.conformance.autograd.oracle import evaluate
from uol.conformance.cases.verdict import Case
from uol.ir import Op, Program, instantiate
from uol.operators.registry import catalogue, find_operator
from uol.ops.references.gradients import forward_of


def independent_results(case: Case, values: Mapping[str, Array]) -> dict[str, Array]:
    """The results of a case by name: of an operator, or, of its gradient, autograd's cotangents of the forward's inputs."""
    forward = forward_of(case.op)
    op = forward or find_operator(case.op)
    program, scalars = _as_written(op, case)
    tensors = {t.name: torch.tensor(np.asarray(values[t.name])) for t in program.by_role("in")}
    if forward is None:
        with torch.no_grad():
            return {name: y.numpy() for name, y in evaluate(program, tensors, scalars).items()}
    return _cotangents(program, tensors, scalars, values)


def _as_written(op: Op, case: Case) -> tuple[Program, dict[str, float | int]]:
    at = bind_names(op, case.dtype, case.workload.dims, case.workload.attrs)
    whole = {name: value for name, value in at.attrs.items() if isinstance(value, int)}
    program = instantiate(op, catalogue(), types=at.types, ranks=at.ranks, dims=at.flat_dims, attrs=whole, folds=False)
    return program, {s.name: at.attrs[s.name] for s in program.scalars}


def _cotangents(
    program: Program, tensors: dict[str, torch.Tensor], scalars: Mapping[str, float | int], values: Mapping[str, Array]
) -> dict[str, Array]:
    floats = {name: t.requires_grad_() for name, t in tensors.items() if t.is_floating_point()}
    results = evaluate(program, tensors, scalars)
    pairs = [(y, torch.tensor(values[f"d{name}"])) for name, y in results.items() if y.requires_grad and f"d{name}" in values]
    if not pairs:
        return {f"d{name}": np.zeros(t.shape) for name, t in floats.items()}
    outs, cotangents = zip(*pairs, strict=True)
    found = torch.autograd.grad(outs, list(floats.values()), cotangents, allow_unused=True)
    return {
        f"d{name}": np.zeros(t.shape) if g is None else g.numpy() for (name, t), g in zip(floats.items(), found, strict=True)
    }

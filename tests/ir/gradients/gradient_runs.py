"""Gradients by three ways: the derived text in the interpreter, PyTorch's autograd on the references, differences of the
forward's golden value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from uol.binding.named_binding import bind_names
from uol.ir import Library, Op, Program, instantiate, interpret
from uol.ir.checker.instantiation import dim_names
from uol.ir.checker.variadic_dims import pack_names
from uol.ir.gradients import gradient, has_gradient
from uol.ir.types import DTYPES
from uol.ops.references import differentiable_reference
from uol.ops.references.gradients import by_autograd as autograd_of_reference
from uol.ops.texts import library, names
from uol.ops.workloads import Workload

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """Sizes and attributes, defaults included, for an operator and for its gradients."""

    ranks: Mapping[str, int]
    dims: Mapping[str, int]
    attrs: Mapping[str, float | int]
    types: Mapping[str, str]

    def program(self, op: Op, ops: Library) -> Program:
        ranks = {p: self.ranks[p] for p in pack_names(op)}
        dims = {d: self.dims[d] for d in dim_names(op, ranks)}
        attrs = {a.name: self.attrs[a.name] for a in op.attributes if a.name in self.attrs}
        types = {t.variable: self.types[t.variable] for t in op.domain}
        return instantiate(op, ops, types=types, ranks=ranks, dims=dims, attrs=attrs)

    def run(self, op: Op, ops: Library, inputs: Mapping[str, np.ndarray]) -> Arrays:
        program = self.program(op, ops)
        given = {t.name: inputs[t.name] for t in program.by_role("in")}
        return interpret(program, given, {s.name: self.attrs[s.name] for s in program.scalars})


def setting(op: Op, workload: Workload) -> Setting:
    types = {t.variable: "f64" if "f64" in t.types else t.types[0] for t in op.domain}
    attrs = bind_names(op, types, workload.dims, workload.attrs).attrs
    return Setting(workload.ranks, workload.flat_dims, {**workload.attrs, **attrs}, types)


def is_float(op: Op, dtype: str) -> bool:
    return any(DTYPES[t].kind == "float" for t in op.types_of(dtype))


@cache
def differentiable() -> tuple[str, ...]:
    """The operators of the library that have a gradient."""
    return tuple(name for name in names() if (op := library().get(name)) is not None and has_gradient(op))


def derived(op: Op, ops: Library, at: Setting, inputs: Arrays, cotangents: Sequence[np.ndarray]) -> Arrays:
    """dx by name of x, from the gradient's text."""
    text = gradient(op, ops)
    forward = at.run(op, ops, inputs)
    floats = [r.name for r in op.results if is_float(op, r.type)]
    seeds = [p.name for p in cotangent_params(op, text)]
    found = at.run(text, ops, {**inputs, **forward, **dict(zip(seeds, used(op, text, floats, cotangents), strict=True))})
    params = [p.name for p in op.params if is_float(op, p.type)]
    return dict(zip(params, found.values(), strict=True))


def cotangent_params(op: Op, text: Op) -> list:
    """The inputs of a gradient that the forward does not have: the cotangents."""
    known = {p.name for p in (*op.params, *op.results)}
    return [p for p in text.params if p.name not in known]


def used(op: Op, text: Op, floats: list[str], cotangents: Sequence[np.ndarray]) -> list[np.ndarray]:
    kept = {p.name for p in cotangent_params(op, text)}
    return [c for name, c in zip(floats, cotangents, strict=True) if any(k.startswith(f"d{name}") for k in kept)]


def by_autograd(op: Op, attrs: Mapping[str, float | int], inputs: Arrays, cotangents: Sequence[np.ndarray]) -> Arrays:
    """dx by name of x, from PyTorch's autograd on the reference."""
    floats = [r.name for r in op.results if is_float(op, r.type)]
    given = {**inputs, **{f"d{name}": c for name, c in zip(floats, cotangents, strict=True)}}
    tensors = {n: torch.from_numpy(np.array(a)) for n, a in given.items()}
    found = autograd_of_reference(op, differentiable_reference(op.name), tensors, attrs)
    params = [p.name for p in op.params if is_float(op, p.type)]
    return {name: dx.detach().numpy() for name, dx in zip(params, found, strict=True)}


def by_differences(op: Op, ops: Library, at: Setting, inputs: Arrays, cotangents: Sequence[np.ndarray]) -> dict[str, float]:
    """<dx, direction> by name of x, from the central difference of <cotangent, forward> along a seeded direction."""
    step, out = 1e-6, {}
    for name in (p.name for p in op.params if is_float(op, p.type)):
        along = direction(inputs[name].shape)
        ends = []
        for sign in (1, -1):
            moved = {**inputs, name: inputs[name] + sign * step * along}
            results = [r for r in at.run(op, ops, moved).values() if r.dtype.kind == "f"]
            ends.append(sum(float((r * c).sum()) for r, c in zip(results, cotangents, strict=True)))
        out[name] = (ends[0] - ends[1]) / (2 * step)
    return out


def direction(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(11).uniform(-1, 1, shape)

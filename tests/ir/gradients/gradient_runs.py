"""Gradients by three ways: the derived text in the interpreter, PyTorch's autograd on the references, differences of the
forward's golden value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import numpy as np
import torch

from uol.ir import Library, Op, Program, instantiate, interpret
from uol.ir.gradients import gradient
from uol.ir.instantiation import dim_names
from uol.ir.packs import pack_names
from uol.ir.types import DTYPES
from uol.named_binding import bind_names
from uol.ops.texts import family_of, library, names
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
    sets = {t.variable: t.types for t in op.domain}
    return any(DTYPES[t].kind == "float" for t in sets.get(dtype, (dtype,)))


def differentiable() -> list[str]:
    """The operators of the library from a float to a float."""
    ops = [op for name in names() if (op := library().get(name)) is not None]
    return [o.name for o in ops if any(is_float(o, p.type) for p in o.params) and any(is_float(o, r.type) for r in o.results)]


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


def reference(name: str):
    """The library's reference; where PyTorch has no gradient for all inputs, the formula."""
    table = import_module(f"uol.ops.references.{family_of(name)}").REFERENCES
    if name in ("cummax", "cummin"):
        return lambda x: getattr(torch, name)(x, -1).values
    if name == "soft_margin_loss":
        return lambda x, t: torch.log1p(torch.exp(-t * x)).mean()
    if name == "batch_norm" or name.startswith("conv2d_bn"):
        return partial(normalised, name)
    return table[name]


def normalised(name: str, x: torch.Tensor, *rest: torch.Tensor, eps: float = 1e-5, stride: int = 1, pad: int = 0):
    """Inference batch norm as written, with statistics that have a gradient; after a convolution, before a relu."""
    if name != "batch_norm":
        w, *rest = rest
        x = torch.nn.functional.conv2d(x, w, stride=stride, padding=pad)
    gamma, beta, mean, var = (v.reshape(-1, *(1,) * (x.dim() - 2)) for v in rest[:4])
    y = (x - mean) / (var + eps).sqrt() * gamma + beta
    y = y + rest[4] if "add" in name else y
    return y.relu() if name.endswith("relu") else y


CONSTANT_FOR_PYTORCH = {"weighted_nll_loss": ("w",), "weighted_cross_entropy": ("w",)}
"""Inputs in which PyTorch's operator has no gradient."""


def by_autograd(name: str, attrs: Mapping[str, float | int], inputs: Arrays, cotangents: Sequence[np.ndarray]) -> Arrays:
    """dx by name of x, from PyTorch's autograd on the reference."""
    tensors = {n: torch.from_numpy(np.array(a)) for n, a in inputs.items()}
    constant = CONSTANT_FOR_PYTORCH.get(name, ())
    floats = {n: t.requires_grad_() for n, t in tensors.items() if t.is_floating_point() and n not in constant}
    given = reference(name)(*tensors.values(), **attrs)
    results = [r for r in (given if isinstance(given, tuple | list) else (given,)) if r.is_floating_point()]
    pairs = [(r, torch.from_numpy(c)) for r, c in zip(results, cotangents, strict=True) if r.requires_grad]
    found = torch.autograd.grad([r for r, _ in pairs], list(floats.values()), [c for _, c in pairs], allow_unused=True)
    each = zip(floats.items(), found, strict=True)
    return {n: (torch.zeros_like(t) if g is None else g).detach().numpy() for (n, t), g in each}


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

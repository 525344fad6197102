"""Attention whose numbers of rows and cols are arguments, at sizes around those of its strips and tiles."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from turns import by_turns

from uol.backends.cpu.schedules.kinds import Strips
from uol.binding.named_binding import bind_names
from uol.compilation.recompile import KernelsOfAnySize
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.operators.registry import find_operator

FEW_AND_MANY = (1, 3, 5, 13, 15, 33, 57, 130)
"""Around a row, a small tile, a whole one, and a strip."""
HEADS = {"B": 2, "H": 2, "G": 2, "L": 40, "M": 40, "D": 24, "E": 40}


def kernel_of(op: str, dims: Mapping[str, int], varying: str) -> Compiled:
    """The kernel with the dims `varying`, a letter each, as arguments."""
    instance = bind_names(find_operator(op), "f32", dims, {})
    found = KernelsOfAnySize().find(Request(instance, resolve_target("cpu")), frozenset(varying))
    assert found is not None
    return found


def scores(q: torch.Tensor, k: torch.Tensor, causal: bool) -> torch.Tensor:
    """A row of a causal attention sees the cols up to its own number."""
    found = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return found.masked_fill(torch.ones(found.shape[-2:]).tril() == 0, -torch.inf) if causal else found


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    return torch.softmax(scores(q, k, causal), -1) @ v


def require(kernel: Compiled, dims: Mapping[str, int], causal: bool) -> None:
    """The kernel gives what PyTorch's operators do, and writes nothing beyond its result."""
    generator = torch.Generator().manual_seed(dims["L"] + dims["M"])
    shapes = {"q": ("B", "H", "L", "D"), "k": ("B", "G", "M", "D"), "v": ("B", "G", "M", "E")}
    tensors = {name: torch.randn([dims[d] for d in shape], generator=generator) for name, shape in shapes.items()}
    expected = attended(*(t.double() for t in tensors.values()), causal=causal)
    beyond = np.full(expected.numel() + 64, np.nan, np.float32)
    inputs = [tensors[a.name].numpy() for a in kernel.inputs]
    kernel.loaded(*inputs, beyond, *kernel.scalars({}), *(dims[d] for d in kernel.module.graph.dims))
    found = beyond[: expected.numel()].reshape(expected.shape)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=2e-6, err_msg=str(dims))
    assert np.isnan(beyond[expected.numel() :]).all()


@pytest.mark.parametrize(("op", "varying"), by_turns(2, ["attention", "causal_attention"], ["L", "M", "LM"]))
def test_attention_at_all_sizes(op: str, varying: str) -> None:
    kernel = kernel_of(op, HEADS, varying)
    (schedule,) = (k.schedule for k in kernel.module.kernels if isinstance(k.schedule, Strips))
    assert schedule.slots
    for sizes in itertools.product(FEW_AND_MANY, repeat=len(varying)):
        dims = {**HEADS, **dict(zip(varying, sizes, strict=True))}
        require(kernel, dims, op == "causal_attention")


def test_long_rows_have_strips_of_few_tiles() -> None:
    kernel = kernel_of("causal_attention", HEADS, "LM")
    require(kernel, {**HEADS, "L": 45, "M": 9000}, causal=True)


def test_gradients_of_causal_attention_at_all_sizes() -> None:
    """Beside PyTorch's autograd in f64."""
    heads = {**HEADS, "D": 8, "E": 13}  # which are written out: a compiler takes a quarter of the time that 24 and 40 take it
    kernel = kernel_of("causal_attention_grad", heads, "LM")
    assert sum(isinstance(k.schedule, Strips) for k in kernel.module.kernels) == 2
    shapes = {"q": ("B", "H", "L", "D"), "k": ("B", "G", "M", "D"), "v": ("B", "G", "M", "E"), "dy": ("B", "H", "L", "E")}
    for rows, cols in itertools.product(FEW_AND_MANY[::2], FEW_AND_MANY[1::2]):
        dims, generator = {**heads, "L": rows, "M": cols}, torch.Generator().manual_seed(rows + cols)
        given = {n: torch.randn([dims[d] for d in s], generator=generator, dtype=torch.float64) for n, s in shapes.items()}
        q, k, v = (given[name].requires_grad_() for name in "qkv")
        y = attended(q, k, v, causal=True)
        expected = dict(zip(("dq", "dk", "dv"), torch.autograd.grad(y, (q, k, v), given["dy"]), strict=True))
        seen = scores(q, k, causal=True)
        hi = seen.amax(-1, keepdim=True)
        given |= {"y": y, "hi": hi[..., 0], "z_inv": 1 / (seen - hi).exp().sum(-1)}
        found = {a.name: np.empty(expected[a.name].shape, np.float32) for a in kernel.module.graph.args if a.role == "out"}
        inputs = [given[a.name].detach().float().numpy() for a in kernel.inputs]
        kernel.loaded(*inputs, *found.values(), *kernel.scalars({}), *(dims[d] for d in kernel.module.graph.dims))
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name].numpy(), rtol=1e-4, atol=2e-5, err_msg=f"{name} {dims}")

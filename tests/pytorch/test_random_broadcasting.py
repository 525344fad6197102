"""Operators whose inputs broadcast, at sizes of 1 and 0 drawn for every dim of every input, as PyTorch has them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from turns import by_turns

import uol
from uol.ir import instantiate
from uol.ir.syntax.surface import Op, Pack, Param
from uol.operators.registry import find_operator
from uol.ops.inputs import make_inputs
from uol.ops.references import differentiable_reference
from uol.ops.texts import library, names
from uol.ops.workloads import Workload, workloads_of
from uol.pytorch.schema import TORCH_TYPES

Sizes = tuple[int, ...]


def own(param: Param) -> int | None:
    """How many dims of its own an input has behind its pack; None where it has no pack."""
    return len(param.dims) - 1 if param.dims and isinstance(param.dims[0], Pack) else None


BROADCAST = [name for name in names() if sum(own(p) is not None for p in find_operator(name).params) > 1]
"""Operators with several inputs over `*S`."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A call: inputs as they are given, and the dims of the pack that they broadcast to."""

    op: Op
    inputs: dict[str, torch.Tensor]
    attrs: Mapping[str, int | float]
    pack: Sizes

    @staticmethod
    def draw(name: str, seed: int) -> Drawn:
        """Values at one size, as the operator wants them; of each input a part: some dims at 1, some leading ones gone."""
        op, rng = find_operator(name), random.Random(f"{name} {seed}")
        sizes = (1, 2, 3, 5, 8, 17) if op.where or rng.random() < 0.8 else (0, 1, 3)  # a mean of nothing is refused
        whole = tuple(rng.choice(sizes) for _ in range(rng.randint(0, 4)))
        workload = rng.choice(workloads_of(name))
        fixed = {n: min(size, 9) for n, size in workload.dims.items() if isinstance(size, int)}
        types = {s.variable: "f64" if "f64" in s.types else s.types[0] for s in op.domain}
        dims = Workload(name, {**fixed, "S": whole}).flat_dims
        program = instantiate(op, library(), types=types, ranks={"S": len(whole)}, dims=dims, attrs=workload.attrs)
        values, inputs, parts = make_inputs(program, "random", seed), {}, []
        for param, tensor in zip(op.params, program.by_role("in"), strict=True):
            x, behind = torch.as_tensor(values[param.name]).to(TORCH_TYPES[tensor.dtype]), own(param)
            if behind is not None:
                for axis in range(len(whole)):
                    x = x.narrow(axis, 0, min(1, x.shape[axis])) if rng.random() < 0.4 else x
                while x.ndim > behind and x.shape[0] == 1 and rng.random() < 0.7:
                    x = x[0]
                parts.append(x.shape[: x.ndim - behind])
            inputs[param.name] = x.clone() if rng.random() < 0.7 else x  # or with gaps
        return Drawn(op, inputs, workload.attrs, tuple(torch.broadcast_shapes(*parts)))

    def broadcast(self, param: Param, x: torch.Tensor) -> torch.Tensor:
        """An input at the size that the operator's text has."""
        behind = own(param)
        return x if behind is None else x.expand((*self.pack, *x.shape[x.ndim - behind :]))


def several(result: Any) -> tuple[torch.Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def leaves(drawn: Drawn) -> dict[str, torch.Tensor]:
    return {n: x.detach().clone().requires_grad_(x.is_floating_point()) for n, x in drawn.inputs.items()}


def cotangents(inputs: dict[str, torch.Tensor], results: list[torch.Tensor], given: list[torch.Tensor]) -> list[torch.Tensor]:
    """Those of the floats among the inputs; 0 where a result does not depend on one."""
    floats = [x for x in inputs.values() if x.requires_grad]
    found = torch.autograd.grad(results, floats, given, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(floats, found, strict=True)]


def own_types(op: Op) -> dict[str, torch.dtype]:
    """By the variable of results alone, as that of a copy in a narrow type: the type that is asked for."""
    given = {p.type for p in op.params}
    return {s.variable: TORCH_TYPES[s.types[0]] for s in op.domain if s.variable not in given}


def agree(name: str, seed: int) -> None:
    """Results recorded and not, in new tensors and in given ones with gaps, and the gradient."""
    torch.manual_seed(seed)
    drawn = Drawn.draw(name, seed)
    ours, theirs, attrs = leaves(drawn), leaves(drawn), drawn.attrs
    asked = own_types(drawn.op)
    function = getattr(uol.ops.text, name)
    for dtype in asked.values():  # one at most
        function = partial(function, dtype=dtype)
    wide = [drawn.broadcast(p, theirs[p.name]) for p in drawn.op.params]
    exact = several(differentiable_reference(name)(*wide, **attrs))
    owed = tuple(y.to(asked.get(result.type, y.dtype)) for result, y in zip(drawn.op.results, exact, strict=True))
    values = tuple(y.detach() for y in owed)

    def require_close(found: object, owed: object, which: str) -> None:
        said = f"{name}, seed {seed}, {[tuple(x.shape) for x in drawn.inputs.values()]}, {which}"
        torch.testing.assert_close(found, owed, msg=lambda text: f"{said}: {text}")

    found = several(function(*ours.values(), **attrs))
    require_close(found, owed, "recorded")
    require_close(several(function(*drawn.inputs.values(), **attrs)), values, "not recorded")
    outs = tuple(torch.empty((*y.shape, 2), dtype=y.dtype)[..., 1] for y in values)
    function(*drawn.inputs.values(), **attrs, out=outs[0] if len(outs) == 1 else outs)
    require_close(outs, values, "out=")
    smooth = [at for at, y in enumerate(owed) if y.requires_grad]
    if smooth:
        given = [torch.randn_like(values[at]) for at in smooth]
        pair = [cotangents(inputs, [y[at] for at in smooth], given) for inputs, y in ((ours, found), (theirs, owed))]
        require_close(*pair, "gradient")


@pytest.mark.parametrize("name", by_turns(4, BROADCAST))
def test_some(name: str) -> None:
    agree(name, 0)


@pytest.mark.soak
@pytest.mark.parametrize("name", BROADCAST)
def test_many(name: str) -> None:
    for seed in range(1, 21):
        agree(name, seed)

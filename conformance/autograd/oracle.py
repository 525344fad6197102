"""A program in PyTorch: its results, its gradient, and the gradient of that.

y = f(x)      dx = (dy, df/dx)      and the gradient of (ddx, dx) by x and by dy
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uol.conformance.autograd.dtypes import storage, wrapped
from uol.conformance.autograd.points import box, spread
from uol.conformance.autograd.values import Evaluation
from uol.ir.program.nodes import Program, Scatter, Stage

Arrays = Mapping[str, NDArray[np.generic]]
Scalars = Mapping[str, float | int]
Function = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Gradients:
    """`results` of the program by name; `first` by input; `second` by input, and by result for the cotangent of that result.
    A result or input that is no float has none."""

    results: Arrays
    first: Arrays
    second: Arrays

    @property
    def is_finite(self) -> bool:
        """Whether there is no infinity and no NaN anywhere: where there is one, two right formulas may differ."""
        return all(np.isfinite(array).all() for found in (self.results, self.first, self.second) for array in found.values())


def evaluate(
    program: Program, inputs: Mapping[str, Tensor], scalars: Scalars | None = None, dims: Mapping[str, int] | None = None
) -> dict[str, Tensor]:
    """The results by name. Float inputs are float64, others int64 or bool; what requires a gradient keeps its graph.

    >>> from uol.ir import Library, instantiate, parse
    >>> op = parse("op double(x: f64[N]) -> (y: f64[N]) { y[i] = 2 * x[i] }")[0]
    >>> evaluate(instantiate(op, Library(), types={}), {"x": torch.ones(2, dtype=torch.float64)}, dims={"N": 2})["y"].tolist()
    [2.0, 2.0]
    """
    types = {s.name: s.dtype for s in program.scalars}
    symbols = {name: torch.tensor(value, dtype=storage(types.get(name, "i64"))) for name, value in (scalars or {}).items()}
    symbols |= {name: torch.tensor(value) for name, value in (dims or {}).items()}
    evaluation = Evaluation(symbols, {t.name: inputs[t.name] for t in program.by_role("in")})
    for stage in program.stages:
        evaluation.memory[stage.name] = _stage(evaluation, program, stage)
    return {t.name: evaluation.memory[t.name] for t in program.by_role("out")}


def _stage(evaluation: Evaluation, program: Program, stage: Stage) -> Tensor:
    axes = {a.name: evaluation.integer(a.extent) for a in stage.axes}
    points = box(axes)
    if not isinstance(stage, Scatter):
        return spread(evaluation.value(stage.value, points), points.count).reshape(tuple(axes.values()))
    shape = tuple(evaluation.integer(d) for d in program.tensors[stage.name].shape)
    points = points.at(evaluation.holds(stage.guard, points))
    place = torch.zeros(points.count, dtype=torch.int64)
    for extent, target in zip(shape, stage.target, strict=True):
        place = place * extent + evaluation.value(target, points)
    values = spread(evaluation.value(stage.value, points), points.count)
    zeros = torch.zeros(shape, dtype=values.dtype)
    return wrapped(zeros.flatten().index_add(0, place, values).reshape(shape), stage.dtype)


def gradients(
    program: Program, inputs: Arrays, cotangents: Arrays, directions: Arrays, scalars: Scalars | None = None
) -> Gradients:
    """Of a program without symbolic dims. `cotangents` are those of its float results, `directions` those of the first
    gradient, by input: what is differentiated the second time is the sum of the directions times the first gradient."""
    return gradients_of(lambda tensors: evaluate(program, tensors, scalars), inputs, cotangents, directions)


def gradients_of(function: Function, inputs: Arrays, cotangents: Arrays, directions: Arrays) -> Gradients:
    """The same of any function of tensors by name, to results by name."""
    tensors = {name: torch.tensor(array) for name, array in inputs.items()}
    floats = {name: tensor.requires_grad_() for name, tensor in tensors.items() if tensor.is_floating_point()}
    seeds = {name: torch.tensor(array).requires_grad_() for name, array in cotangents.items()}
    results = function(tensors)
    first = _through([(results[name], seed) for name, seed in seeds.items()], list(floats.values()), create_graph=True)
    again = [(dx, torch.tensor(directions[name])) for name, dx in zip(floats, first, strict=True)]
    second = _through(again, [*floats.values(), *seeds.values()])
    return Gradients(
        {name: y.numpy(force=True) for name, y in results.items()},
        {name: dx.numpy(force=True) for name, dx in zip(floats, first, strict=True)},
        {name: d.numpy(force=True) for name, d in zip((*floats, *seeds), second, strict=True)},
    )


def _through(pairs: Sequence[tuple[Tensor, Tensor]], tensors: Sequence[Tensor], create_graph: bool = False) -> list[Tensor]:
    """The gradients by tensors of the sum of results times cotangents; 0 where none depends on one."""
    moving = [(y, dy) for y, dy in pairs if y.requires_grad]
    if not moving:
        return [torch.zeros_like(t) for t in tensors]
    results, cotangents = zip(*moving, strict=True)
    found = torch.autograd.grad(results, tensors, cotangents, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]

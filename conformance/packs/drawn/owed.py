"""What the sampled elements of a result owe.

    exact      where all that is computed are sums and products of drawn values, every partial sum of which f32 holds: the sum
               itself, rounded once to the result's type, and no other number
    contract   else, as of any case (`packs/owed.py`)

An exact sum shows a term that was dropped, or a factor that was rounded, at any number of terms, where a contract is blind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from uol.compilation.pipeline import program_of
from uol.compilation.request import Request
from uol.conformance.accuracy.interval import Array, nearest
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.gradients.cases import fitting
from uol.conformance.packs.drawn.sample import Sample, places
from uol.conformance.packs.drawn.whole import Whole
from uol.conformance.packs.owed import owed_of
from uol.conformance.packs.runner.judge import Bounds, Owed
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.interpreter import interpret
from uol.ir.program.nodes import Call, Expr, Program, Reduce
from uol.ir.program.walk import walk
from uol.ir.types import is_float
from uol.operators.registry import find_operator
from uol.ops.inputs import static_shape
from uol.ops.references.gradients import forward_of
from uol.ops.wide_inputs import GRAINS

LINEAR = frozenset(("+", "*", "cast", "select", "and", "or", "<", "<=", ">", ">=", "==", "!="))
"""What adds up and multiplies, and what chooses by indices: of the absolute values of all inputs it gives a bound."""


@dataclass(frozen=True, slots=True)
class SampleOwed:
    """`is_exact`: is one number right, and no other?"""

    owed: Owed
    is_exact: bool


def owed_of_sample(whole: Whole, result: str, sample: Sample) -> SampleOwed:
    """What the sampled elements of one result of a case owe. Raises UolError where golden value and reference differ."""
    sampled = _sampled(whole, sample)
    golden = interpret(sampled.program, sampled.values, sampled.scalars)[result]
    if not _is_exact(whole, sampled, golden, result):
        return SampleOwed(next(owed for owed in owed_of(sampled, Truth()) if owed.name == result), False)
    independent = _reference(sampled)
    if independent is not None and not np.array_equal(golden, independent[result]):
        raise UolError(f"{result} is another value by its text than by its reference, though every sum is exact")
    dtype = sampled.program.tensors[result].dtype
    only = encode(nearest(golden, dtype), dtype)
    return SampleOwed(Owed(result, dtype, golden, [Bounds(only, only)]), True)


def _sampled(whole: Whole, sample: Sample) -> Prepared:
    """The operator at the sizes of the sample, with the values that the whole case has there."""
    prepared = whole.prepared
    workload = prepared.case.workload
    sizes = {name: sample.sizes.get(name, size) for name, size in workload.flat_dims.items()}
    case = replace(prepared.case, workload=workload.at(sizes))
    program = program_of(Request(fitting(find_operator(case.op), case), prepared.compiled.request.target))
    values: dict[str, Array] = {}
    for tensor in whole.symbolic.by_role("in"):
        indices = sample.of(tensor, whole.dims)
        if tensor.name in whole.carried:
            values[tensor.name] = whole.carried[tensor.name][np.ix_(*indices)]
        else:
            shape = static_shape(prepared.program.tensors[tensor.name])
            values[tensor.name] = whole.draws[tensor.name].values(places(indices, shape))
    return replace(prepared, case=case, program=program, values=values)


def _reference(sampled: Prepared) -> Mapping[str, Array] | None:
    """PyTorch's results; of a gradient None where it does not have all inputs of its forward, as autograd wants them."""
    forward = forward_of(sampled.case.op)
    if forward is not None and not {p.name for p in forward.params} <= sampled.values.keys():
        return None
    return Truth().reference(sampled)


def _is_exact(whole: Whole, sampled: Prepared, golden: Array, result: str) -> bool:
    """Is every partial sum, in any order, a number of f32?"""
    program = sampled.program
    plain = all(value in (0, 1) for value in sampled.scalars.values())
    if not (plain and is_float(program.tensors[result].dtype) and all(map(_is_linear, _values(program)))):
        return False
    grains = 2.0 ** (max(draw.bits for draw in whole.draws.values()) - 1)
    if not np.array_equal(golden * grains, np.rint(golden * grains)):
        return False
    sizes = {name: np.abs(value) if is_float(program.tensors[name].dtype) else value for name, value in sampled.values.items()}
    most = interpret(program, sizes, sampled.scalars)[result]
    return bool(np.max(most, initial=0.0) * grains < GRAINS)


def _values(program: Program) -> list[Expr]:
    return [stage.value for stage in program.stages]


def _is_linear(value: Expr) -> bool:
    calls = (node.fn in LINEAR for node in walk(value) if isinstance(node, Call))
    sums = (node.op == "sum" for node in walk(value) if isinstance(node, Reduce))
    return all(calls) and all(sums)

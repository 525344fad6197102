"""The cases that a pack may hold: those of operators, as `uol conform --op` has them, or the distinct calls of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from uol.binding.instance import known_sizes
from uol.binding.layouts import row_major
from uol.binding.named_binding import Size, bind_names
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, resolve_target
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.requests import request_of
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Prepared, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.gap.routing import Routing
from uol.conformance.packs.drawn.whole import Whole, whole_of
from uol.ir.library import SAVING
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Program
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.references.gradients import forward_of
from uol.ops.workloads import Extent

if TYPE_CHECKING:
    from uol.conformance.paths.draw import Size as PathSize
    from uol.conformance.paths.kernels import KernelCase


@dataclass(frozen=True, slots=True)
class Given:
    """An input of the forward of a gradient: its elements as a buffer holds them, their type, and its strides."""

    array: Array
    dtype: str
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A case that can be packed. Nothing is computed before it is asked for.

    name      as people read it, the same for every target
    program   its typed program; raises what the checker raises
    prepared  its kernels and inputs; raises what the compiler raises
    truth     what it is judged by
    operator  the one whose call in PyTorch stands beside it: of a gradient the forward, of an operator that saves for its
              gradient the one that does not
    given     the attributes of that call
    forward   of a gradient, the inputs of the forward by name
    whole     of a case whose inputs are drawn on the card, all of it but its inputs and results
    routing   how its rows fall into segments, where they do
    """

    name: str
    program: Callable[[], Program]
    prepared: Callable[[], Prepared]
    truth: Callable[[Prepared], Truth]
    operator: str
    given: Mapping[str, float | int]
    forward: Callable[[Prepared], Mapping[str, Given]] | None = None
    whole: Callable[[], Whole] | None = None
    routing: Routing = "balanced"


def of_operators(cases: Sequence[Case]) -> list[Subject]:
    """One for each case of operators."""
    return [_of_operator(case) for case in cases]


def of_drawn(case: Case, routing: Routing = "balanced") -> Subject:
    """A case of real size, whose inputs are drawn on the card and whose results are judged at a sample of places."""
    forward, routed = forward_of(case.op), "" if routing == "balanced" else f", {routing}"
    return Subject(
        f"{case.dtype} {case.workload} on drawn inputs{routed}",
        lambda: program_of(_fixed(case)),
        lambda: whole_of(case, routing).prepared,
        lambda prepared: Truth(),
        case.op if forward is None else forward.name,
        case.workload.attrs,
        whole=lambda: whole_of(case, routing),
        routing=routing,
    )


def at_sizes(case: Case, sizes: Mapping[str, Size]) -> Case:
    """The case with other sizes of some dims. Raises ShapeError for a name that is none of the operator's, for a size that is
    left open, and for sizes that the operator does not take."""
    workload = case.workload
    bound = bind_names(find_operator(case.op), case.dtype, {**workload.dims, **sizes}, workload.attrs)
    known: dict[str, Extent] = {name: size for name, size in bound.dims.items() if size is not None}
    known |= {name: pack for name, each in bound.packs.items() if (pack := known_sizes(each)) is not None}
    return replace(case, workload=replace(workload, dims={name: known[name] for name in workload.dims}))


def _of_operator(case: Case) -> Subject:
    forward = forward_of(case.op)
    return Subject(
        f"{case.dtype} {case.setting}",
        lambda: program_of(_fixed(case)),
        lambda: prepare(case),
        lambda prepared: Truth(),
        case.op if forward is None else forward.name,
        case.workload.attrs,
        None if forward is None else lambda prepared: _forward_inputs(forward, case, prepared),
    )


def _fixed(case: Case) -> Request:
    return request_of(replace(case, sizes="fixed"))


def _forward_inputs(forward: Op, case: Case, prepared: Prepared) -> dict[str, Given]:
    at = bind_names(forward, case.dtype, case.workload.dims, case.workload.attrs)
    found = {}
    for param in forward.params:
        dtype, value = at.dtype(param), prepared.values[param.name]
        found[param.name] = Given(encode(value, dtype), dtype, row_major(value.shape))
    return found


def of_path(name: str, target: str, dtypes: Sequence[str], seed: int, *, quick: bool = False) -> list[Subject]:
    """One for each distinct call of a path's training step with its update, in each type; with `quick` at narrow sizes."""
    from uol.conformance.paths import drawn
    from uol.conformance.paths.step_checks import kernels_of

    path = drawn(name)
    size: PathSize = "narrow" if quick else "kernels"
    return [_of_call(f"{name} {dtype}", call, target) for dtype in dtypes for call in kernels_of(path, dtype, size, seed)]


def _of_call(step: str, call: KernelCase, target: str) -> Subject:
    from uol.conformance.paths.kernels import attributes_given, truth_of
    from uol.conformance.paths.kernels import prepare as prepare_call

    forward = call.forward
    own = call.call if forward is None else forward
    return Subject(
        f"{step} {call.places[0]}, {call.name}",
        lambda: program_of(Request(call.request(resolve_target(target)).instance, resolve_target(target))),
        lambda: prepare_call(call, resolve_target(target)),
        lambda prepared: truth_of(call, prepared),
        own.op.removesuffix(SAVING),
        attributes_given(own),
        None if forward is None else lambda prepared: dict(_inputs_of(call)),
    )


def _inputs_of(call: KernelCase) -> Iterator[tuple[str, Given]]:
    from uol.pytorch.schema import NAMES

    assert call.forward is not None
    forward = call.forward
    for name, tensor, value in zip(forward.operator.names, forward.inputs, forward.values(), strict=True):
        dtype = NAMES[tensor.dtype]
        yield name, Given(encode(np.asarray(value), dtype), dtype, tuple(tensor.stride()))

"""A case of real size as it stands before anything of its size is computed: kernels, programs, and what its inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from uol.binding.instance import Instance
from uol.compilation.pipeline import module_of, program_of
from uol.compilation.request import Request, resolve_target
from uol.compiler import Compiled
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.cases.verdict import Case
from uol.conformance.gap.routing import Routing, keys_by
from uol.conformance.gradients.cases import fitting
from uol.conformance.packs.drawn.generator import Draw, draws_of
from uol.conformance.packs.drawn.sample import sample_of
from uol.ir.errors import UolError
from uol.ir.program.dtype_encoding import STORAGE
from uol.ir.program.nodes import Program
from uol.ir.types import is_float
from uol.operators.registry import find_operator
from uol.ops.inputs import indexed_extents, static_shape

MOST_CARRIED = 2**21
"""Elements of a case's tensors that a pack holds one by one."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A case of which the inputs of floats are drawn on the card.

    prepared   its kernels; `buffers` have the sizes of its inputs and nothing in them, `values` is empty
    symbolic   its program with symbols for its dims, and `dims` their sizes
    draws      how each input of floats is drawn, by name
    carried    the values of the others, which travel
    """

    prepared: Prepared
    symbolic: Program
    dims: Mapping[str, int]
    draws: Mapping[str, Draw]
    carried: Mapping[str, Array]


def whole_of(case: Case, routing: Routing) -> Whole:
    """Raises what the compiler raises, and UolError for an input whose values nothing says."""
    instance, target = fitting(find_operator(case.op), case), resolve_target(case.target)
    request = Request(instance, target, deterministic=case.deterministic, tf32=case.tf32)
    program = program_of(request)
    symbolic = program_of(Request(_opened(instance), target))
    buffers = {t.name: np.empty(static_shape(t), STORAGE[t.dtype]) for t in program.by_role("in")}  # of no page in use
    scalars = {s.name: instance.attrs[s.name] for s in program.scalars}
    prepared = Prepared(case, Compiled(request, module_of(request)), program, {}, buffers, scalars)
    carried = _carried(program, routing, case.seed)
    return Whole(prepared, symbolic, instance.flat_dims, draws_of(program, case.seed), carried)


def is_drawn(case: Case) -> bool:
    """Is a case one whose inputs are drawn? Its tensors are too large to travel, and its results can be sampled."""
    instance, target = fitting(find_operator(case.op), case), resolve_target(case.target)
    program = program_of(Request(instance, target))
    ends = [t for t in program.tensors.values() if t.role in ("in", "out")]
    if sum(prod(static_shape(tensor)) for tensor in ends) <= MOST_CARRIED:
        return False
    try:
        _carried(program, "balanced", case.seed)
        symbolic = program_of(Request(_opened(instance), target))
        for tensor in program.by_role("out"):
            sample_of(symbolic, tensor.name, instance.flat_dims, case.seed)
    except UolError:
        return False
    return True


def _opened(instance: Instance) -> Instance:
    """The operator of the same ranks, all of whose dims are symbols."""
    packs = {name: (None,) * rank for name, rank in instance.ranks.items()}
    return replace(instance, dims=dict.fromkeys(instance.dims), packs=packs)


def _carried(program: Program, routing: Routing, seed: int) -> dict[str, Array]:
    """The inputs that are not of floats: indices in range; those that are sorted, as rows are dealt to segments."""
    generator, extents = np.random.Generator(np.random.Philox(seed)), indexed_extents(program)
    found: dict[str, Array] = {}
    for tensor in program.by_role("in"):
        if is_float(tensor.dtype):
            continue
        if tensor.name not in extents:
            raise UolError(f"{tensor.name} of {program.name} is of {tensor.dtype} and no index: nothing says what to draw")
        shape = static_shape(tensor)
        if tensor.name in program.sorted and len(shape) == 1:
            found[tensor.name] = np.array(keys_by(routing, shape[0], extents[tensor.name]), np.int64)
        else:
            found[tensor.name] = generator.integers(0, max(1, extents[tensor.name]), size=shape, dtype=np.int64)
    return found

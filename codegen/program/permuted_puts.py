"""A scatter to the places of a permutation stores every element once: nothing is cleared or added up, and what is made of an
element is stored in its stead.

    at is a permutation:  s[at[n], d] += v[n, d];  y[m, d] = T(s[m, d])   ->   put y[at[n], d] = T(v[n, d])
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.codegen.indexing.arithmetic import size, static
from uol.codegen.names import taken_names, unused
from uol.codegen.program.unify_axes import plain_indices
from uol.ir.integers.terms import idx
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Order, Program, Put, Reduce, Scatter, Stage, Tensor, Var
from uol.ir.program.walk import loads, rewrite, variables, walk
from uol.ir.types import INDEX


def permuted_puts(program: Program) -> Program:
    """The same program with the scatters that store each element of their tensor once as puts, each where its tensor was made
    whole, or last where nothing reads that: a kernel that goes over the same elements then takes it along."""
    stages = list(program.stages)
    tensors = dict(program.tensors)
    taken = set(taken_names(program))
    for stage in program.stages:
        if not isinstance(stage, Scatter) or not _is_whole(stage, program):
            continue
        name = unused(f"{stage.name}_put", taken)
        taken.add(name)
        reader = _only_reader(stage, stages, program)
        put = _put(stage, reader, name, program)
        tensors[name] = Tensor(name, put.dtype, tuple(a.extent for a in put.axes), "local")
        at = stages.index(stage if reader is None else reader)
        stages = [s for s in stages if s is not stage and s is not reader]
        is_read = any(load.tensor == put.into for s in stages for load in loads(s))
        stages.insert(min(at, len(stages)) if is_read else len(stages), put)
    return replace(program, tensors=tensors, stages=tuple(stages))


def _is_whole(stage: Scatter, program: Program) -> bool:
    """Has each element of the tensor one point of the scatter? Each dim is an axis alone, but for one that a permutation says
    of all other axes, as many as the dim has elements."""
    own = {axis.name: axis.extent for axis in stage.axes}
    looked_up: list[tuple[Load, Expr]] = []
    for place, extent in zip(stage.target, program.tensors[stage.name].shape, strict=True):
        load = place.args[0] if isinstance(place, Call) and place.fn == "cast" else place
        if isinstance(place, Var) and own.get(place.name) == extent:
            del own[place.name]
        elif isinstance(load, Load) and load.tensor in program.permutations and not load.guard:
            looked_up.append((load, extent))
        else:
            return False
    if len(looked_up) != 1:
        return False
    ((load, extent),) = looked_up
    names, rows = plain_indices(load) or (), static(extent)
    is_over_all = set(names) == own.keys() and tuple(own[n] for n in names) == program.tensors[load.tensor].shape
    return bool(rows) and is_over_all and static(size(Axis(n, own[n]) for n in names)) == rows


def _only_reader(stage: Scatter, stages: Iterable[Stage], program: Program) -> Stage | None:
    """The stage that alone reads what is added up, each element at its own place, and is made of nothing else."""
    readers = [s for s in stages if any(load.tensor == stage.name for load in loads(s))]
    if len(readers) != 1 or program.tensors[stage.name].role != "local":
        return None
    (reader,) = readers
    own = tuple(axis.name for axis in reader.axes)
    if type(reader) is not Stage or any(isinstance(e, Reduce | Order) for e in walk(reader.value)):
        return None
    if any(load.tensor != stage.name or plain_indices(load) != own or load.guard for load in loads(reader)):
        return None
    alone = rewrite(reader.value, lambda node: Const(0, node.dtype) if isinstance(node, Load) else None)
    return None if variables(alone) & set(own) else reader


def _put(stage: Scatter, reader: Stage | None, name: str, program: Program) -> Put:
    """What is stored, and where: a place that a broken promise has outside is the nearest inside."""
    shape = program.tensors[stage.name].shape
    target = tuple(
        place if not stage.guard or isinstance(place, Var) else _inside(place, extent)
        for place, extent in zip(stage.target, shape, strict=True)
    )
    value, dtype, into, line = stage.value, stage.dtype, stage.name, stage.line
    if reader is not None:
        value = rewrite(reader.value, lambda node: stage.value if isinstance(node, Load) else None)
        dtype, into, line = reader.dtype, reader.name, reader.line
    return Put(name, stage.axes, value, dtype, line, stage.span, into, target)


def _inside(place: Expr, extent: Expr) -> Expr:
    below = idx("min", place, idx("-", extent, Const(1)))
    return idx("max", below, Const(0, INDEX))

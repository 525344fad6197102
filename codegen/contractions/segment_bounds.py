"""Where the segments of a contraction begin and end, looked up once, by a kernel in front of it.

    bounds = [0, keys below 0, keys below 1, ..., keys below E, keys]      of E segments, among keys that ascend

Segment e is what lies from `bounds[e + 1]` up to `bounds[e + 2]`; what is of no segment lies in front of the first and behind
the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, dense_strides, size, sub
from uol.codegen.names import unused
from uol.codegen.specs.nodes import Arg, Contract, KernelSpec, Map, Segments, Store, Within
from uol.codegen.specs.search import Search
from uol.codegen.specs.traverse import names_of, reads
from uol.codegen.specs.verify import verified
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

EDGES = 3
"""Bounds more than segments: the end of the last one, and of all that lies in front of the first and behind the last."""
DTYPE = "i64"


def segments_of(spec: Contract) -> Expr | None:
    """How many segments there are; None where a text does not bound them."""
    segments = spec.segments
    if segments is None:
        return None
    if segments.over == "terms":
        return next((axis.extent for axis in spec.batch if axis.name == segments.of), ONE)
    guards = (guard for read in reads(spec.b) for guard in read.guard)
    of = Var(segments.of)
    return next((g.high for g in guards if isinstance(g, Within) and g.value == of and g.low == ZERO and g.high), None)


@verified
def with_bounds(spec: Contract, count: Expr) -> tuple[Map, Contract]:
    """The kernel that looks for the bounds of `count` segments, and the contraction with them."""
    segments = spec.segments
    assert segments is not None
    (key,) = reads(segments.key)
    at = spec.m if segments.over == "rows" else spec.k
    taken = {*names_of(spec), *spec.dims, *(a.name for a in spec.args), *(a.name for a in spec.axes)}
    edge = Axis(unused("edge", taken), add(count, Const(EDGES)))
    bounds = Arg(f"{spec.name}_bounds", DTYPE, (edge.extent,), dense_strides((edge.extent,)), "workspace")
    place = Var(edge.name)
    stride = dict(key.strides).get(segments.at) or ZERO
    found = Search(key.tensor, stride, size(at), Call("cast", (sub(place, ONE),), key.dtype), False, DTYPE)
    first, last = (Call("==", (place, each), "bool") for each in (ZERO, add(count, Const(EDGES - 1))))
    whole = Call("cast", (size(at),), DTYPE)
    value = Call("select", (first, Const(0, DTYPE), Call("select", (last, whole, found), DTYPE)), DTYPE)
    store = Store(bounds.name, place, ((edge.name, ONE),), value, DTYPE, (edge.name,), spec.line)
    args = (spec.arg(key.tensor), bounds)
    search = Map(f"{spec.name}_bounds", args, (), spec.dims, spec.facts, spec.source, (edge,), (store,), where=spec.where)
    return search, replace(spec, args=(*spec.args, bounds), segments=replace(segments, bounds=bounds.name))


def with_shared_bounds(specs: Iterable[KernelSpec]) -> tuple[KernelSpec, ...]:
    """The same kernels, of which those that ask for the same bounds share what the first of them has looked for."""
    specs = tuple(specs)
    asked = {spec.segments.bounds for spec in specs if isinstance(spec, Contract) and spec.segments is not None}
    made: dict[object, Arg] = {}
    instead: dict[str, Arg] = {}
    kept: list[KernelSpec] = []
    for spec in specs:
        match spec:
            case Map(steps=(Store(tensor=tensor) as store,)) if tensor in asked:
                searched = (spec.index, replace(store, tensor="", line=0), spec.where)
                instead[tensor] = made.setdefault(searched, spec.arg(tensor))
                if instead[tensor].name == tensor:
                    kept.append(spec)
            case Contract(segments=Segments(bounds=bounds) as segments) if bounds in instead:
                args = tuple(instead[bounds] if arg.name == bounds else arg for arg in spec.args)
                kept.append(replace(spec, args=args, segments=replace(segments, bounds=instead[bounds].name)))
            case _:
                kept.append(spec)
    return tuple(kept)

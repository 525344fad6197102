"""What every spec promises, and what its kind does, as checks: each names what is broken.

The promises are those of the docstrings in `uol.codegen.specs.nodes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from uol.codegen.attention.softmax_shift import follows_maximum
from uol.codegen.indexing.affine import affine
from uol.codegen.indexing.arithmetic import dense_strides, static
from uol.codegen.specs.evaluations import Space, evaluations, space_of
from uol.codegen.specs.expression_text import expr_text
from uol.codegen.specs.nodes import (
    Attention,
    Contract,
    Fold,
    KernelSpec,
    Let,
    Map,
    Pack,
    Reduce,
    Scan,
    Scatter,
    Select,
    Store,
)
from uol.codegen.specs.steps import AFFINE, RECURRENCE
from uol.codegen.specs.traverse import (
    accesses,
    is_one_read,
    lines_of,
    main_read,
    names_of,
    products_in,
    reads,
    searched,
    steps_of,
)
from uol.codegen.specs.type_rules import ill_guarded, ill_typed
from uol.ir.integers.polynomials import to_poly
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.program.walk import variables, walk
from uol.ir.types import INDEX, is_integer

ROLES = ("in", "out", "workspace")
FOLDS = frozenset({"sum", "prod", "max", "min", "any", "all", "argmax", "argmin", RECURRENCE})


def broken(spec: KernelSpec) -> Iterator[str]:
    """Every promise that a spec does not keep, in words."""
    for promise in (names, types, spaces, buffers, strides, steps, *_of_kind(type(spec))):
        yield from promise(spec)


def _of_kind(kind: type[KernelSpec]) -> tuple[Promise, ...]:
    """What a kind promises; a backend's own kind promises what the kind does that it is made from."""
    found = next((OF_KIND[k] for k in kind.__mro__ if k in OF_KIND), None)
    if found is None:
        raise TypeError(f"what {kind.__name__} promises is not said")
    return found


def names(spec: KernelSpec) -> Iterator[str]:
    """A name stands for one thing."""
    given = [*names_of(spec), *spec.dims]
    given += [*(axis.name for axis in spec.axes), *(scalar.name for scalar in spec.scalars), *(arg.name for arg in spec.args)]
    yield from (f"{name} stands for two things" for name, count in Counter(given).items() if count > 1)


def types(spec: KernelSpec) -> Iterator[str]:
    """Expressions are well typed, and a name has the type of what it stands for."""
    for at in evaluations(spec):
        for node in walk(at.expr):
            yield from ill_typed(node)
            if isinstance(node, Var) and node.name in at.known and node.dtype != at.known[node.name].dtype:
                yield f"{node.name} is {at.known[node.name].dtype}, used as {node.dtype}"


def spaces(spec: KernelSpec) -> Iterator[str]:
    """A name is defined before it is used, and a value varies over the axes that it is computed for."""
    for at in evaluations(spec):
        used = variables(at.expr)
        yield from (f"{name} is not defined before it is used" for name in sorted(used - at.known.keys()))
        varies = frozenset().union(*(at.known[name].axes for name in used & at.known.keys()))
        for axis in sorted(varies - at.space):
            yield f"{expr_text(at.expr)} varies over {axis}, which is not an axis of it"


def buffers(spec: KernelSpec) -> Iterator[str]:
    """What is read and stored is an arg, of the type that is said; an input is not stored to."""
    args = {arg.name: arg for arg in spec.args}
    roles = [ROLES.index(arg.role) for arg in spec.args]
    if roles != sorted(roles):
        yield "args are not inputs, then results, then workspaces"
    for access in accesses(spec):
        arg = args.get(access.tensor)
        if arg is None:
            yield f"{access.tensor} is no arg"
        elif arg.dtype != access.dtype:
            yield f"{access.tensor} is {arg.dtype}, used as {access.dtype}"
        elif isinstance(access, Store) and arg.role == "in":
            yield f"the input {access.tensor} is stored to"
    for search in searched(spec):
        keys = args.get(search.tensor)
        if keys is None or keys.dtype != search.value.type:
            yield f"{search.tensor} is no arg with keys of {search.value.type}"


def strides(spec: KernelSpec) -> Iterator[str]:
    """An access lists its stride along every axis that it is over, in the order of the spec, and it is that of its offset."""
    order = [axis.name for axis in spec.axes]
    for access in accesses(spec):
        given = dict(access.strides)
        if [name for name, _ in access.strides] != [name for name in order if name in given]:
            yield f"the strides of {access.tensor} are not those of the spec's axes in order"
        over = access.axes if isinstance(access, Store) else variables(access.offset) & set(order)
        if missing := sorted(set(over) - given.keys()):
            yield f"the strides of {access.tensor} lack {', '.join(missing)}"
        form = affine(access.offset)
        for name, stride in given.items():
            if form is not None and (stride is None or to_poly(stride, {}) != form.factors.get(name, {})):
                yield f"the stride of {access.tensor} along {name} is not that of its offset"


def steps(spec: KernelSpec) -> Iterator[str]:
    """A step is over axes of the spec, and of the type of its value."""
    every = space_of(spec.axes)
    for step in steps_of(spec):
        if isinstance(step, Let | Store) and not (set(step.axes) <= every and len(set(step.axes)) == len(step.axes)):
            yield f"a step is over {', '.join(step.axes)}, which are not axes of the spec"
        if isinstance(step, Let | Store) and step.value.type != step.dtype:
            yield f"{step.value.type} is kept as {step.dtype}: {expr_text(step.value)}"
        if isinstance(step, Store) and step.offset.type != INDEX:
            yield f"the offset of {step.tensor} is {step.offset.type}, no index"
        if isinstance(step, Fold):
            yield from _fold(step)
    if lines_of(spec)[:1] < [1]:
        yield "a step has no line"


def _fold(fold: Fold) -> Iterator[str]:
    positions, truth = ("i64", "i32"), ("bool",)
    types = {"argmax": positions, "argmin": positions, "any": truth, "all": truth}.get(fold.op, (fold.value.type,))
    if fold.op not in FOLDS or fold.dtype not in types:
        yield f"{fold.op} of {fold.value.type} as {fold.dtype}"
    if (fold.op == RECURRENCE) != (isinstance(fold.value, Call) and fold.value.fn == AFFINE):
        yield f"{fold.op} of {expr_text(fold.value)}: a recurrence is of maps, and nothing else is"
    yield from (f"{expr_text(w)} is {w.type}, no condition" for w in fold.where if w.type != "bool")


def _stores_over(spec: KernelSpec, *whole: frozenset[str]) -> Iterator[str]:
    """Every store is over one of some sets of axes."""
    for step in steps_of(spec):
        if isinstance(step, Store) and frozenset(step.axes) not in whole:
            yield f"{step.tensor} is stored over {', '.join(step.axes) or 'nothing'} alone"


def _without_folds(spec: KernelSpec) -> Iterator[str]:
    yield from (f"{step.name} folds over cols, which there are none of" for step in steps_of(spec) if isinstance(step, Fold))


def _whole(spec: KernelSpec) -> Iterator[str]:
    yield from _stores_over(spec, space_of(spec.axes))


def _of_reduce(spec: KernelSpec) -> Iterator[str]:
    assert isinstance(spec, Reduce)
    rows = space_of(spec.rows)
    elements = tuple(step for step in spec.steps if isinstance(step, Store) and not set(step.axes) <= rows)
    yield from _stores_over(replace(spec, steps=elements, columns=()), space_of(spec.axes))
    yield from _stores_over(replace(spec, steps=()), space_of(spec.rows[:1], spec.cols))


def _of_pack(spec: KernelSpec) -> Iterator[str]:
    """One store of one read or its cast, dense over the index."""
    assert isinstance(spec, Pack)
    stored = [step for step in spec.steps if isinstance(step, Store) and is_one_read(step.value)]
    if len(stored) != 1 or len(spec.steps) != 1:
        yield "a Pack is one store of one read, wrapped in casts"
    for store in stored:
        given = dict(store.strides)
        for axis, dense in zip(spec.index, dense_strides(tuple(a.extent for a in spec.index)), strict=True):
            step = given.get(axis.name)
            if static(axis.extent) not in (0, 1) and (step is None or to_poly(step, {}) != to_poly(dense, {})):
                yield f"{store.tensor} is not dense along {axis.name}"


def _of_contract(spec: KernelSpec) -> Iterator[str]:
    """a * b of a read each, or of what is computed around one, in the accumulator's type, and a result that is contiguous along
    the last of n, or in batch."""
    assert isinstance(spec, Contract)
    for side, factor in (side for pair in products_in(spec) for side in zip("ab", pair, strict=True)):
        if not is_one_read(factor) and not _is_around_one_read(factor, space_of(spec.axes)):
            yield f"{side} is one read, wrapped in casts, or computed around one at all of its axes"
        if factor.type != spec.acc_dtype:
            yield f"{side} is {factor.type}, added up in {spec.acc_dtype}"
    yield from _stores_over(replace(spec, sums=()), space_of(spec.batch, spec.m, spec.n))
    yield from _stores_over(replace(spec, epilogue=()), space_of(spec.batch, spec.m))
    stored = [s for s in spec.epilogue if isinstance(s, Store)]
    wide = [axis.name for axis in (*spec.m, *spec.n) if static(axis.extent) != 1]
    unit = [n for n in wide if stored and dict(stored[0].strides).get(n) == Const(1)]
    is_empty = any(static(axis.extent) == 0 for axis in (*spec.batch, *spec.m, *spec.n))
    of_n = [axis.name for axis in spec.n if axis.name in wide]
    if unit and of_n and unit != of_n[-1:] and not is_empty:
        yield f"the result is contiguous along {', '.join(unit)}, not along the last of n"
    if spec.segments is not None:
        yield from _of_segments(spec)


def _is_around_one_read(factor: Expr, axes: Space) -> bool:
    """Is there a read at all axes that a factor varies over, and none at places that are data?"""
    found = list(reads(factor))
    places = [axis for read in found for axis, stride in read.strides if stride != Const(0)]
    if not found or any(True for read in found for _ in reads(read.offset)):
        return False
    main = {axis for axis, stride in main_read(factor).strides if stride != Const(0)}
    return (variables(factor) | {*places}) & axes <= main


def _of_segments(spec: Contract) -> Iterator[str]:
    segments = spec.segments
    assert segments is not None
    if segments.key.type != INDEX or not any(reads(segments.key)):
        yield "the key of segments is an index that is read from data"
    group = spec.m if segments.over == "rows" else spec.k
    if {axis.name for axis in group} - {segments.at}:
        yield f"{segments.at} is not the only axis of {'m' if segments.over == 'rows' else 'k'}"
    if segments.over == "terms" and segments.of in space_of(spec.m, spec.n, spec.k):
        yield f"{segments.of} is no axis of batch"


def _of_attention(spec: KernelSpec) -> Iterator[str]:
    """Products of one read each; weights over rows and cols; an epilogue over one width; all relative to the maximum."""
    assert isinstance(spec, Attention)
    factors = [(dot.name, dot.dtype, factor) for dot in spec.dots for factor in (dot.a, dot.b)]
    factors += [(total.name, total.dtype, total.value) for total in spec.sums]
    for name, dtype, factor in factors:
        if not is_one_read(factor):
            yield f"a factor of {name} is one read, wrapped in casts: {expr_text(factor)}"
        if factor.type != dtype:
            yield f"a factor of {name} is {factor.type}, added up in {dtype}"
    if not all(isinstance(s, Let) or (isinstance(s, Fold) and s.op in ("sum", "max")) for s in spec.steps):
        yield "between dots and sums stand Lets, and Folds of sum and max"
    lets = {s.name: s for s in spec.steps if isinstance(s, Let)}
    for total in spec.sums:
        if total.weight not in lets or set(lets[total.weight].axes) != space_of(spec.batch, spec.rows, spec.cols):
            yield f"{total.weight} is no Let over rows and cols"
    row = space_of(spec.batch, spec.rows)
    widths = [row | space_of(total.width) for total in spec.sums]
    yield from _stores_over(spec, row, *widths)
    for step in spec.epilogue:
        if isinstance(step, Fold) or not any(set(step.axes) <= width for width in (row, *widths)):
            yield f"the epilogue of line {step.line} is over more than rows and one width"
    inner = [s for s in spec.steps if isinstance(s, Let | Fold)]
    if not follows_maximum(inner, spec.sums):
        yield "what is summed is no multiple of exp(t - hi), t being what hi is the maximum of"


def _of_scan(spec: KernelSpec) -> Iterator[str]:
    assert isinstance(spec, Scan)
    yield from _stores_over(spec, space_of(spec.axes), space_of(spec.rows))
    for step in spec.steps:
        if isinstance(step, Let) and set(step.axes) not in (space_of(spec.axes), space_of(spec.rows)):
            yield f"{step.name} is neither over the rows nor over all axes"


def _of_scatter(spec: KernelSpec) -> Iterator[str]:
    """Lets, then one addition at a place along every dim of the tensor."""
    assert isinstance(spec, Scatter)
    yield from (f"{type(s).__name__} of line {s.line} is no Let" for s in spec.steps if not isinstance(s, Let))
    yield from (fault for guard in spec.guard for fault in ill_guarded(guard))
    shape = next((arg.shape for arg in spec.args if arg.name == spec.add.tensor), ())
    if len(spec.place) != len(shape) or any(place.type != INDEX for place in spec.place):
        yield f"a place is one index along every dim of {spec.add.tensor}"
    yield from _whole(spec)


def _of_select(spec: KernelSpec) -> Iterator[str]:
    assert isinstance(spec, Select)
    if not is_integer(spec.at_dtype) or spec.at_dtype == INDEX:
        yield f"{spec.at} is an index of an element, as {spec.at_dtype}"
    yield from _stores_over(replace(spec, tally=None), space_of(spec.rows, [spec.place]))
    if spec.tally is not None and (space_of(spec.keys) != set(spec.tally.axes) or spec.rows or len(spec.keys) != 1):
        yield "a tally is of one row, over its keys"
    if spec.tally is not None and not is_integer(spec.key.type):
        yield f"a key that is counted is an integer, not {spec.key.type}"


Promise = Callable[[KernelSpec], Iterator[str]]
OF_KIND: dict[type[KernelSpec], tuple[Promise, ...]] = {
    Map: (_without_folds, _whole),
    Reduce: (_of_reduce,),
    Contract: (_without_folds, _of_contract),
    Attention: (_of_attention,),
    Pack: (_of_pack,),
    Scan: (_of_scan,),
    Scatter: (_of_scatter,),
    Select: (_without_folds, _of_select),
}
"""What is promised of a kind beside what every spec promises."""

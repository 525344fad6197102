"""Recognising linear recurrences: terms that fade by a product over what lies between need one multiply-add an element.

    S[i] = sum[j <= i](b[j] * prod[k > j, k <= i](a[k]))        S_i = a_i * S_{i-1} + b_i
    T[j] = sum[i >= j](g[i] * prod[k > j, k <= i](a[k]))        T_j = g_j + a_{j+1} * T_{j+1}

By their definition these are cubic. Each position p is a map of what comes before it, t -> by * t + plus, and maps compose, so
that a scan of maps gives what stands before every position, E_p; the rest is an element's own. Either end may belong to the
product or not, and the position itself to the sum or not:

    the product has the end of the term      plus = a_p * b_p, else b_p
    the product has the end of the result    the result is a_p * E_p, else E_p ...
    the sum has the position itself          ... and plus (b_p, where the product has not the end of the result)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from uol.codegen.indexing.arithmetic import ONE, ZERO, add, static, sub
from uol.codegen.names import taken_names
from uol.codegen.program.isolate_reductions import Isolation, axes_relied_on
from uol.codegen.program.scans import Running, bound_of, bounded_by, reaches, widened
from uol.codegen.specs.steps import AFFINE, RECURRENCE
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Reduce, Scatter, Stage, Tensor, Var, zero_of
from uol.ir.program.walk import map_stage, rewrite, substitute, variables
from uol.ir.types import is_float


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A sum over the positions before `along` (after it with `reverse`; with that one itself where `inclusive`) of `term` times
    the product of `factor` over what lies between: with the position of the term (`has_term`), of the result (`has_result`).
    Both are given at the position `along`."""

    along: Axis
    factor: Expr
    term: Expr
    reverse: bool
    inclusive: bool
    has_term: bool
    has_result: bool
    tensors: Mapping[str, Tensor]

    @property
    def by(self) -> Expr:
        """What multiplies the value before a position. The first has none: whatever stands there is not read."""
        place, dtype = Var(self.along.name), self.factor.type
        first = sub(self.along.extent, ONE) if self.reverse else ZERO
        has_some = compare("<", place, first) if self.reverse else compare(">=", place, ONE)
        factor = self.read_where(self.factor, has_some)
        return Call("select", (compare("==", place, first), Const(1.0, dtype), factor), dtype)

    @property
    def plus(self) -> Expr:
        """What is added at a position."""
        return _times(self.factor, self.term) if self.has_term else self.term

    @property
    def running(self) -> Running:
        """What stands before every position."""
        maps = Call(AFFINE, (self.by, self.plus), self.term.type)
        return Running(RECURRENCE, Var(self.along.name), maps, self.term.type, self.reverse, exclusive=True)

    @property
    def maps_within(self) -> dict[str, Expr]:
        """The maps, of the last position, too, where nothing that counts has to be in range."""
        place, last = Var(self.along.name), sub(self.along.extent, ONE)
        counts = compare(">", place, ZERO) if self.reverse else compare("<", place, last)
        return {"by": self.read_where(self.by, counts), "plus": self.read_where(self.plus, counts)}

    def read_where(self, value: Expr, condition: Expr) -> Expr:
        """The value with what may be out of range elsewhere read where a condition holds."""

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Load) or self._is_whole(node):
                return None
            inner = node.map_children(lambda child: rewrite(child, rule))
            return replace(inner, guard=(condition, *inner.guard), fill=inner.fill or zero_of(inner.dtype))

        return rewrite(value, rule)

    def _is_whole(self, load: Load) -> bool:
        """Is every position a place of the tensor?"""
        name, extent = self.along.name, self.along.extent
        ends = zip(load.index, self.tensors[load.tensor].shape, strict=True)
        return all(name not in variables(at) or (at, size) == (Var(name), extent) for at, size in ends)

    def result(self, before: Expr) -> Expr:
        """The sum itself."""
        faded = _times(self.by, before) if self.has_result else before
        return _sum(faded, self.plus if self.has_result else self.term) if self.inclusive else faded


def as_recurrences(program: Program, *, scans: bool = True) -> Program:
    """The same program with what stands before a position in a stage of its own, for every such sum, and what that gives;
    without `scans` where its extent is known, by composing maps at twice the distance, time after time."""
    found = _Found(Isolation(taken_names(program), dict(program.tensors)), scans)
    for stage in program.stages:
        found.isolation.stages.append(map_stage(stage, partial(found.without, stage, stage.axes)))
    return replace(program, tensors=found.isolation.tensors, stages=tuple(found.isolation.stages))


@dataclass(frozen=True, slots=True)
class _Found:
    """The stages so far, and the tensors that they make."""

    isolation: Isolation
    scans: bool

    def without(self, stage: Stage, scope: tuple[Axis, ...], expr: Expr) -> Expr:
        """An expression over the indices in reach with every recurrence exchanged for what it comes to."""
        return rewrite(expr, partial(self.replaced, stage, scope))

    def replaced(self, stage: Stage, scope: tuple[Axis, ...], node: Expr) -> Expr | None:
        """What a sum comes to, by what stands before each position: where it is within another reduction, at all places of that
        one at once. Any other reduction is as it is, but for what is within it."""
        if not isinstance(node, Reduce):
            return None
        within = partial(self.without, stage, (*scope, *node.axes))
        inner = replace(node, body=within(node.body), where=tuple(map(within, node.where)))
        wide, tensors = widened(inner, scope), self.isolation.tensors
        found = recurrence_of(inner, wide, tensors)
        if found is None or not (self.scans or static(found.along.extent)):
            return inner
        found = recurrence_of(self.isolated(stage, inner, scope), wide, tensors)
        assert found is not None
        axes = axes_relied_on(found.running, wide, tensors)
        if self.scans:
            before = self.isolation.made(f"{stage.name}_before", axes, found.running, stage)
        else:
            before = self.doubled(found, axes, stage)
        value = found.result(before)
        is_whole = node is stage.value and not isinstance(stage, Scatter) and wide == scope
        return value if is_whole else self.isolation.made(f"{stage.name}_sum", axes, value, stage)

    def isolated(self, stage: Stage, value: Reduce, scope: tuple[Axis, ...]) -> Reduce:
        """A recurrence with the reductions of its terms and factors in stages of their own, before these are given at the place
        of the result, as far as that runs."""
        inner = (*scope, *value.axes)
        product, _ = _parted(value.body) or (None, None)

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Reduce):
                return None
            if node is not product:
                return self.isolation.stored(stage, node, inner)
            return replace(node, body=self.isolation.extract(stage, node.body, (*inner, *node.axes)))

        return replace(value, body=rewrite(value.body, rule))

    def doubled(self, found: Recurrence, axes: tuple[Axis, ...], stage: Stage) -> Load:
        """What stands before each position: after n steps a position has composed the 2^n maps up to its own."""
        place, extent = Var(found.along.name), static(found.along.extent) or 0
        made = self.isolation.made
        by, plus = (made(f"{stage.name}_{name}", axes, value, stage) for name, value in found.maps_within.items())

        def back(read: Load, distance: int) -> Load:
            at = add(place, Const(distance)) if found.reverse else sub(place, Const(distance))
            inside = compare("<", at, found.along.extent) if found.reverse else compare(">=", at, ZERO)
            index = tuple(at if each == place else each for each in read.index)
            return replace(read, index=index, guard=(inside,), fill=zero_of(read.dtype))

        distance = 1
        while distance < extent:
            (inside,) = back(by, distance).guard
            further = _sum(_times(by, back(plus, distance)), plus), _times(by, back(by, distance))
            values = [Call("select", (inside, new, old), new.type) for new, old in zip(further, (plus, by), strict=True)]
            plus = made(f"{stage.name}_plus", axes, values[0], stage)
            by = made(f"{stage.name}_by", axes, values[1], stage)
            distance *= 2
        return back(plus, 1)


def _times(a: Expr, b: Expr) -> Expr:
    return Call("*", (a, b), a.type)


def _sum(a: Expr, b: Expr) -> Expr:
    return Call("+", (a, b), a.type)


def recurrence_of(value: Reduce, axes: Iterable[Axis], tensors: Mapping[str, Tensor]) -> Recurrence | None:
    """A reduction as a recurrence along one of the axes outside; None where it is none."""
    bounded, parts = bounded_by(value, axes), _parted(value.body)
    if value.op != "sum" or not is_float(value.dtype) or bounded is None or parts is None:
        return None
    (inner, along, relation), (product, term) = bounded, parts
    ends = _ends(product, inner, along, relation)
    if ends is None or along.name in variables(term) or {inner.name, along.name} & variables(product.body):
        return None
    here = Var(along.name)
    return Recurrence(
        along,
        substitute(product.body, {product.axes[0].name: here}),
        substitute(term, {inner.name: here}),
        relation.startswith(">"),
        relation.endswith("="),
        *ends,
        tensors,
    )


def _parted(value: Expr) -> tuple[Reduce, Expr] | None:
    """A product over a window, and what it is multiplied by."""
    match value:
        case Reduce(op="prod", dtype=dtype):
            return value, Const(1.0, dtype)
        case Call(fn="*", args=(left, right)):
            for one, other in ((left, right), (right, left)):
                found = _parted(one)
                if found is not None:
                    product, rest = found
                    plain = isinstance(rest, Const) and rest.value == 1
                    return product, other if plain else replace(value, args=(rest, other))
        case Call(fn="/" | "neg", args=(first, *others)):
            found = _parted(first)
            return None if found is None else (found[0], replace(value, args=(found[1], *others)))
    return None


def _ends(product: Reduce, inner: Axis, along: Axis, relation: str) -> tuple[bool, bool] | None:
    """Does the product have the position of the term, and that of the result? None where it is over anything but what lies
    between."""
    if len(product.axes) != 1 or len(product.where) != 2:
        return None
    bounds = {name: sign for each in product.where for sign, name in (bound_of(each, product.axes[0].name) or ("", ""),)}
    of_term, of_result = bounds.get(inner.name, ""), bounds.get(along.name, "")
    after, before = (">", "<") if relation.startswith("<") else ("<", ">")
    upper = of_result if after == ">" else of_term
    if of_term[:1] != after or of_result[:1] != before or not reaches(product.axes[0], along, upper):
        return None
    return of_term.endswith("="), of_result.endswith("=")

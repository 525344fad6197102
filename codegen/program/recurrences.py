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

from collections.abc import Iterable
from dataclasses import dataclass, replace

from uol.codegen.indexing.arithmetic import ONE, ZERO, sub
from uol.codegen.names import taken_names, unused
from uol.codegen.program.scans import Running, bound_of, reaches
from uol.codegen.specs.steps import AFFINE, RECURRENCE
from uol.ir.integers.terms import compare
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Reduce, Scatter, Stage, Tensor, Var, zero_of
from uol.ir.program.walk import rewrite, substitute, variables
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

    @property
    def by(self) -> Expr:
        """What multiplies the value before a position. The first has none: whatever stands there is not read."""
        place, dtype = Var(self.along.name), self.factor.type
        first = sub(self.along.extent, ONE) if self.reverse else ZERO
        has_some = compare("<", place, first) if self.reverse else compare(">=", place, ONE)

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Load) or all(isinstance(at, Var) for at in node.index):
                return None
            inner = node.map_children(lambda child: rewrite(child, rule))
            return replace(inner, guard=(has_some, *inner.guard), fill=inner.fill or zero_of(inner.dtype))

        factor = rewrite(self.factor, rule)
        return Call("select", (compare("==", place, first), Const(1.0, dtype), factor), dtype)

    @property
    def plus(self) -> Expr:
        """What is added at a position."""
        return Call("*", (self.factor, self.term), self.term.type) if self.has_term else self.term

    @property
    def running(self) -> Running:
        """What stands before every position."""
        maps = Call(AFFINE, (self.by, self.plus), self.term.type)
        return Running(RECURRENCE, Var(self.along.name), maps, self.term.type, self.reverse, exclusive=True)

    def result(self, before: Expr) -> Expr:
        """The sum itself."""
        dtype = self.term.type
        faded = Call("*", (self.by, before), dtype) if self.has_result else before
        own = self.plus if self.has_result else self.term
        return Call("+", (faded, own), dtype) if self.inclusive else faded


def as_recurrences(program: Program) -> Program:
    """The same program with every such sum as what stands before a position, in a stage of its own, and what that gives."""
    tensors, stages = dict(program.tensors), list[Stage]()
    taken = set(taken_names(program))
    for stage in program.stages:
        if isinstance(stage, Scatter):
            stages.append(stage)
            continue
        made = _Found(stage, tensors, taken, stages)
        stages.append(replace(stage, value=rewrite(stage.value, made.replaced)))
    return replace(program, tensors=tensors, stages=tuple(stages))


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the recurrences of a stage go."""

    stage: Stage
    tensors: dict[str, Tensor]
    taken: set[str]
    stages: list[Stage]

    def replaced(self, node: Expr) -> Expr | None:
        """What a sum comes to, by what stands before each position; reductions within others stay."""
        if not isinstance(node, Reduce):
            return None
        found = recurrence_of(node, self.stage.axes)
        if found is None:
            return node
        free = variables(found.running)
        axes = tuple(axis for axis in self.stage.axes if axis.name in free)
        name = unused(f"{self.stage.name}_before", self.taken)
        self.taken.add(name)
        self.tensors[name] = Tensor(name, node.dtype, tuple(axis.extent for axis in axes), "local")
        self.stages.append(Stage(name, axes, found.running, node.dtype, self.stage.line, self.stage.span))
        return found.result(Load(name, tuple(Var(axis.name) for axis in axes), (), None, node.dtype))


def recurrence_of(value: Reduce, axes: Iterable[Axis]) -> Recurrence | None:
    """A reduction as a recurrence along one of the axes outside; None where it is none."""
    if value.op != "sum" or not is_float(value.dtype) or len(value.axes) != 1 or len(value.where) != 1:
        return None
    (inner,) = value.axes
    bound = bound_of(value.where[0], inner.name)
    if bound is None:
        return None
    relation, name = bound
    along = next((axis for axis in axes if axis.name == name), None)
    parts = _parted(value.body)
    if along is None or parts is None or not reaches(inner, along, relation):
        return None
    product, term = parts
    ends = _ends(product, inner, along, relation)
    if ends is None or name in variables(term) or {inner.name, name} & variables(product.body):
        return None
    here = Var(name)
    return Recurrence(
        along,
        substitute(product.body, {product.axes[0].name: here}),
        substitute(term, {inner.name: here}),
        relation.startswith(">"),
        relation.endswith("="),
        *ends,
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

"""What the names of one operator mean while its statements become stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from uol.ir.checker.messages import at, closest, mismatch
from uol.ir.errors import BoundsError, ShapeError
from uol.ir.integers.facts import Facts
from uol.ir.integers.integer_conditions import lifted
from uol.ir.integers.terms import compare, in_range
from uol.ir.library import Library
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Stage, Tensor
from uol.ir.program.render import show
from uol.ir.program.walk import variables, walk
from uol.ir.syntax import surface
from uol.ir.syntax.span import Span
from uol.ir.syntax.surface import Node, Op
from uol.ir.types import DTYPES, INDEX, base_type, resolved


class Draft:
    """The program in the making: what an operator and the operators that it calls add to."""

    def __init__(self, library: Library, facts: Facts, scalar_type: str, *, folds: bool = True) -> None:
        self.library = library
        self.facts = facts
        self.scalar_type = scalar_type
        self.folds = folds  # whether a choice whose condition is known becomes what is chosen
        self.tensors: dict[str, Tensor] = {}
        self.stages: list[Stage] = []
        self.checks: list[Expr] = []
        self.limits: dict[str, Expr] = {}  # tensors whose elements are known to lie in 0 <= value < limit
        self.sorted: list[str] = []  # tensors whose elements are promised, or made, to be in ascending order
        self.permutations: list[str] = []  # tensors that are promised, or made, to hold each number below their size once
        self.reserved: set[str] = set()  # names that an axis or a local may not take: dims and scalars of the program

    def unique(self, wish: str) -> str:
        """A name that no tensor, dim or scalar of the program has."""
        name, number = wish, 2
        while name in self.tensors or name in self.reserved:
            name, number = f"{wish}_{number}", number + 1
        return name

    def add(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = tensor
        return tensor


@dataclass(slots=True)
class Environment:
    """The names of one operator: `op` is free of packs, `dims` and `attributes` are expressions over the program's dims
    and scalars, `calls` the operators that are being inlined, outermost first."""

    op: Op
    draft: Draft
    types: Mapping[str, str]
    dims: dict[str, Expr] = field(default_factory=dict)
    attributes: dict[str, Expr] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    results: dict[surface.Apply, tuple[Tensor, ...]] = field(default_factory=dict)
    calls: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        return self.draft.facts

    def dtype(self, name: str, node: Node) -> str:
        """The element type that a type's name or variable stands for."""
        found, name = resolved(name, self.types), base_type(name)
        if found in DTYPES:
            return found
        raise mismatch(
            self.op, node, f"unknown type `{name}`", closest(name, (*DTYPES, *self.types)) or f"types are {', '.join(DTYPES)}"
        )

    def names_other_than_index(self, name: str) -> bool:
        """Whether a name stands for a dim, an attribute or a tensor."""
        return name in self.dims or name in self.attributes or name in self.tensors

    def values_in(self, clause: Node) -> str:
        """What the dims and attributes that a clause names are: `C = 64, D = 32`."""
        names = dict.fromkeys(n.id for n in surface.below(clause) if isinstance(n, surface.Name))
        values = {name: self.dims.get(name, self.attributes.get(name)) for name in names}
        return ", ".join(f"{name} = {show(value)}" for name, value in values.items() if value is not None)

    def is_float_attribute(self, name: str) -> bool:
        attribute = self.op.attribute(name)
        return attribute is not None and attribute.type == "float"

    def require(self, condition: Expr, node: Node, what: str, hint: str | None = None) -> None:
        """An obligation without an index: proven, or false (ShapeError), or left to be checked at the call."""
        if self.facts.prove(condition):
            return
        condition = self.facts.simplify(condition)
        if condition == Const(False, "bool"):
            raise at(ShapeError, self.op, node, what, hint)
        if condition not in self.draft.checks:
            self.draft.checks.append(condition)

    def limits_in(self, expr: Expr) -> list[Expr]:
        """What is known of the places that an expression reads: those of an order, or of an extremum, have a range."""
        limits = self.draft.limits
        found: list[Expr] = []
        for node in walk(expr):
            if isinstance(node, Load) and node.tensor in limits:
                place = Call("cast", (node,), INDEX)
                found += [compare(">=", place, Const(0)), compare("<", place, limits[node.tensor])]
        return found

    def positive_divisor(self, divisor: Expr, node: Node) -> None:
        """Rule 9: a divisor in a dim or an index is proven positive."""
        with self.facts.scope(*self.limits_in(divisor)):
            known = self.facts.prove(compare(">", divisor, Const(0)))
        if not known:
            raise at(
                BoundsError,
                self.op,
                node,
                f"the divisor `{show(divisor)}` is not known to be positive",
                f"add `where {show(divisor)} > 0`",
            )


@dataclass(slots=True)
class Scope:
    """A statement: its indices in reach, and the conditions under which the expression at hand is evaluated.

    `axes` maps a name of the text to its axis. `path` holds the conditions of the arms of `select` and of masked
    reductions around the expression: true where its value counts, but not wherever it may be computed.
    """

    env: Environment
    line: int
    span: Span
    axes: dict[str, Axis] = field(default_factory=dict)
    path: tuple[Expr, ...] = ()

    @property
    def op(self) -> Op:
        return self.env.op

    @property
    def facts(self) -> Facts:
        return self.env.facts

    @contextmanager
    def indices(self, axes: Mapping[str, Axis]) -> Iterator[None]:
        """Within the block these indices run over their axes."""
        bounds = [c for a in axes.values() for c in in_range(a)]
        outer = self.axes
        self.axes = {**outer, **axes}
        try:
            with self.facts.scope(*bounds):
                yield
        finally:
            self.axes = outer

    @contextmanager
    def under(self, *conditions: Expr) -> Iterator[None]:
        """Within the block the value counts only where the conditions hold."""
        outer = self.path
        self.path = (*outer, *conditions)
        try:
            yield
        finally:
            self.path = outer

    def holds_on_path(self, condition: Expr) -> bool:
        """Whether a condition holds wherever the value of the expression at hand counts, by the choices around it."""
        if not self.path:
            return False
        with self.facts.scope(*map(lifted, self.path)):
            return self.facts.prove(condition)

    def has_index(self, expr: Expr) -> bool:
        """Whether an expression depends on an index, or on a value read from memory."""
        names = {a.name for a in self.axes.values()}
        return bool(variables(expr) & names) or any(isinstance(n, Load) for n in walk(expr))

    def axis_name(self, name: str) -> str:
        """The axis of an index: its own name, unless a dim or scalar of the program has that."""
        while name in self.env.draft.reserved:
            name += "_i"
        return name

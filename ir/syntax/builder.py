"""An operator built by a Python function: the same tree as from a text, and printed to it.

    def softmax(op):
        S, C, s, c = op.names("*S C *s c")
        T = op.type("T", "f64", "f32", "f16", "bf16")
        x, y = op.input("x", T[S, C]), op.result("y", T[S, C])
        op.hi[s] = fn.max[c](fn.acc(x[s, c]))
        op.e[s, c] = fn.exp(fn.acc(x[s, c]) - op.hi[s])
        op.z[s] = fn.sum[c](op.e[s, c])
        y[s, c] = T(op.e[s, c] / op.z[s])

The function runs once. Every tensor that is not declared is named by `op.<name>` (or `op.tensor(name)`); an assignment to
its elements is a statement. Nothing is read from the function's source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from uol.ir.errors import ParseError, TypeCheckError
from uol.ir.syntax import surface
from uol.ir.syntax.expression_handles import Accumulation, Handle, Indexed, Items, Operand, Word, expression_of, nodes
from uol.ir.syntax.parser import parse
from uol.ir.syntax.printer import print_op

Definition: TypeAlias = "Callable[[Construction], object]"


def build(function: Definition) -> surface.Op:
    """The operator that a function builds, of the function's name. Its text is the printed one, and its spans point there.

    Raises TypeCheckError where something cannot stand in an operator, ParseError where the printed text is not of the
    grammar (a name that is a word of the language).
    """
    name = function.__name__
    construction = Construction()
    returned = function(construction)
    if returned is not None:
        raise TypeCheckError(f"{name} returned {type(returned).__name__}", hint='declare results: y = op.result("y", T[S])')
    op = construction.finish(name)
    (parsed,) = parse(print_op(op), f"<{name}>")
    if parsed != op:  # a name such as "x: f32" would read as something else
        raise ParseError(f"{name} is not what its text says", text=print_op(op), hint="names are words: letters, digits and _")
    return parsed


class TensorHandle(Handle):
    """A tensor of the operator: its elements are read, and assigned to in statements."""

    __slots__ = ("_statements",)
    _statements: list[surface.Statement]

    def __init__(self, name: str, statements: list[surface.Statement]) -> None:
        super().__init__(surface.Name(name))
        object.__setattr__(self, "_statements", statements)

    def __setitem__(self, items: Items, value: Operand) -> None:
        assert isinstance(self.node, surface.Name)
        target = surface.Target(self.node.id, nodes(items))
        if not isinstance(value, Accumulation):
            self._statements.append(_statement((target,), "=", value))
            return
        if value.target != (self.node.id, target.index):
            raise TypeCheckError(f"`+=` to one element was assigned to another of {self.node.id}", hint="write y[at[n]] += v")
        self._statements.append(surface.Statement((target,), "+=", value.value))


class Construction:
    """The operator while its function runs."""

    def __init__(self) -> None:
        self._params: list[surface.Param] = []
        self._results: list[surface.Param] = []
        self._attributes: list[surface.Attribute] = []
        self._domain: list[surface.TypeSet] = []
        self._where: list[surface.Expr] = []
        self._statements: list[surface.Statement] = []

    def names(self, names: str) -> tuple[Handle, ...]:
        """Dims and indices, packs with a star: `S, C, s, c = op.names("*S C *s c")`."""
        return tuple(Handle(surface.Pack(n[1:]) if n.startswith("*") else surface.Name(n)) for n in names.split())

    def type(self, variable: str, *types: str) -> Word:
        """A type variable and its closed set. The types themselves are `fn.f32`, `fn.i64`, ..."""
        self._domain.append(surface.TypeSet(variable, types))
        return Word(variable)

    def input(self, name: str, declared: Indexed) -> TensorHandle:
        """An input, of a type and dims: `op.input("x", T[S, C])`; `T[()]` has no dims."""
        self._params.append(_param(name, declared))
        return self.tensor(name)

    def result(self, name: str, declared: Indexed) -> TensorHandle:
        """A result, of a type and dims."""
        self._results.append(_param(name, declared))
        return self.tensor(name)

    def attribute(self, name: str, kind: Literal["int", "float"], default: Operand | None = None) -> Handle:
        """An attribute, with or without a default, which may be made of earlier attributes."""
        value = None if default is None else expression_of(default)
        self._attributes.append(surface.Attribute(name, kind, value))
        return Handle(surface.Name(name))

    def where(self, *conditions: Handle) -> None:
        """What must hold of dims and attributes, and promises: `op.where(C > 0, fn.sorted(at))`."""
        self._where += map(expression_of, conditions)

    def tensor(self, name: str) -> TensorHandle:
        """A tensor by name; `op.<name>` says the same, where that is not the name of a method."""
        return TensorHandle(name, self._statements)

    def __getattr__(self, name: str) -> TensorHandle:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.tensor(name)

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            raise TypeCheckError(f"op.{name} was assigned as a whole", hint=f"name its indices: op.{name}[i, j] = ...")
        object.__setattr__(self, name, value)

    def __setitem__(self, targets: tuple[Handle, ...], value: Operand) -> None:
        """Several results: `op[op.top[n, k], op.at[n, k]] = fn.topk[e](op.score[n, e], K)`."""
        several = targets if isinstance(targets, tuple) else (targets,)
        self._statements.append(_statement(tuple(map(_target, several)), "=", value))

    def finish(self, name: str) -> surface.Op:
        """The operator, under a name."""
        if not self._results:
            raise TypeCheckError(f"{name} has no result", hint='declare one: y = op.result("y", T[S])')
        return surface.Op(
            name,
            params=tuple(self._params),
            attributes=tuple(self._attributes),
            results=tuple(self._results),
            domain=tuple(self._domain),
            where=tuple(self._where),
            body=tuple(self._statements),
        )


def _statement(targets: tuple[surface.Target, ...], op: Literal["=", "+="], value: Operand) -> surface.Statement:
    return surface.Statement(targets, op, expression_of(value))


def _param(name: str, declared: object) -> surface.Param:
    if not isinstance(declared, Indexed):
        raise TypeCheckError(f"`{name}` has no type and dims", hint=f'write op.input("{name}", T[S]), or fn.f32[N, K]')
    return declared.param(name)


def _target(handle: object) -> surface.Target:
    match handle:
        case Handle(node=surface.Access(tensor=surface.Name(id=name), index=index, fill=None)):
            return surface.Target(name, index)
    raise TypeCheckError("several results are bound to elements of tensors", hint="write op[op.a[i], op.b[i]] = ...")

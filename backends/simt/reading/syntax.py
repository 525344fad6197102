"""The statements and expressions of an emitted kernel, with their places in the text: what `parse.py` makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; a float has no value that counts depend on."""

    value: int | None
    dtype: str


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`fn` is an operator, "?:", "cast", the name of a function (without its namespace), or a member's (".x"). `dtype` is what
    a cast converts to; `parameters` are template arguments."""

    fn: str
    args: tuple[Node, ...]
    dtype: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """`array[index]...`"""

    array: str
    index: tuple[Node, ...]


Node = Number | Name | Operation | Element


@dataclass(frozen=True, slots=True)
class Simple:
    """A declaration or an assignment, or (`target` None) a call. `dtype` is that of what is declared: of a pointer with a star,
    of an array that of its elements, with a star more where these are pointers. `extents` are those of a declared array;
    `value` is None where there is none, or where it zeroes an array."""

    target: Name | Element | None
    dtype: str
    extents: tuple[Node, ...]
    update: str
    value: Node | None
    start: int
    end: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a body begins and ends, within its braces where it has any."""

    start: int
    end: int
    braces: bool


@dataclass(frozen=True, slots=True)
class Loop:
    """`for (init; condition; step) body`; of a `while` only the condition. `head` is where the condition begins and ends."""

    init: tuple[Simple, ...]
    condition: Node
    step: Simple | None
    body: tuple[Statement, ...]
    start: int
    head: tuple[int, int]
    scope: Scope

    @property
    def variable(self) -> str:
        """What the header counts by; empty for a `while`."""
        return self.init[0].target.name if self.init and isinstance(self.init[0].target, Name) else ""


@dataclass(frozen=True, slots=True)
class Branch:
    """`if (condition) body`; or what stands behind `else`, under the opposite condition."""

    condition: Node
    body: tuple[Statement, ...]
    start: int
    scope: Scope
    otherwise: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """`continue;` or `return;`; or `break;`, where the condition for it holds in the turns that follow, too."""

    word: str


Statement = Simple | Loop | Branch | Leave


@dataclass(frozen=True, slots=True)
class Parameter:
    """`constant`: of a pointer, nothing is written through it. `within`: the parameter in which a tensor lies that a block has
    of its own; then it is declared in the body, `float* __restrict__ x = x_base + ...;`."""

    name: str
    dtype: str
    pointer: bool
    constant: bool = False
    within: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class KernelText:
    """One kernel; of two equal texts each is its own, as the statements in it are."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    own: tuple[Parameter, ...] = ()
    """Tensors that a block has of its own."""

    @property
    def tensors(self) -> tuple[Parameter, ...]:
        """All that is global memory by name."""
        return (*(p for p in self.parameters if p.pointer), *self.own)


def walk(node: Node) -> Iterator[Node]:
    """An expression and all that it is made of."""
    yield node
    for child in node.args if isinstance(node, Operation) else node.index if isinstance(node, Element) else ():
        yield from walk(child)

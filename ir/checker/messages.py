"""Errors at a node of an operator."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from uol.ir.errors import TypeCheckError, UolError
from uol.ir.syntax.surface import NOWHERE, Node, Op

E = TypeVar("E", bound=UolError)


def at(kind: type[E], op: Op, node: Node, message: str, hint: str | None = None) -> E:
    """An error of that kind at the node's position in the operator's text."""
    span = node.span if node.span is not NOWHERE else None
    return kind(message, span=span, text=op.source, hint=hint)


def mismatch(op: Op, node: Node, message: str, hint: str | None = None) -> TypeCheckError:
    """The common case: a TypeCheckError."""
    return at(TypeCheckError, op, node, message, hint)


def some(number: int, noun: str, plural: str | None = None) -> str:
    """`1 dim`, `2 dims`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """A hint for a name that is not known."""
    matches = get_close_matches(name, list(known), n=1)
    return f"did you mean `{matches[0]}`?" if matches else None

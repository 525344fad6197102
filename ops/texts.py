"""The library of operators: the `.uol` texts beside this file, parsed when they are first asked for."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uol.ir import Library

TEXTS = ("elementwise.uol", "linear.uol", "conv.uol", "conv_bn.uol", "norm.uol", "pool.uol", "reduce.uol")


@cache
def library() -> Library:
    """All operators of the library. Callers that add operators of their own copy it first: `Library(library().ops())`."""
    from uol.ir import Library, parse

    return Library([op for name in TEXTS for op in parse(text_of(name), name)])


def text_of(name: str) -> str:
    """The source of one of `TEXTS`."""
    return files("uol.ops").joinpath(name).read_text(encoding="utf-8")


@cache
def names() -> tuple[str, ...]:
    """The names of the library's operators, in the order of their texts."""
    from uol.ir import parse

    return tuple(op.name for name in TEXTS for op in parse(text_of(name), name))

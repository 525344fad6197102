"""The library of operators: the `.uol` texts beside this file, each read when an operator of it is first asked for.

A family is one text, `norm.uol`; the references of its operators are in `references/norm.py`, the cases that they are
checked on in `cases/norm.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from uol.ir.forking import fork_lock, unforked
from uol.ir.library import GRADIENT, Library
from uol.ir.syntax.surface import Op
from uol.ops.trees import trees_of
from uol.ops.variadic import generated

FAMILIES = (
    *("activation", "piecewise", "unary", "trigonometry", "special", "integral", "binary", "comparison"),
    *("reduce", "statistics", "exponential", "norm", "group"),
    *("products", "conv", "conv_3d", "conv_bn", "conv_transpose", "conv_transpose_3d", "pool", "pool3d"),
    *("pool_counted", "pool_indices", "unfold", "adaptive", "adaptive_indices", "resample", "padding"),
    *("rearrange", "indexing", "running"),
    *("attentions", "attention_caches", "transformer"),
    *("loss", "loss_forms", "classes", "class_forms", "optimiser", "running_norm", "mixed_norm"),
    *("ordering", "scattering", "replacing", "mixture", "random"),
)

GRADIENTS = ("attention_gradients", "gradients", "function_gradients")
"""The texts with the gradients that are written."""
_OPERATOR = re.compile(r"^op (\w+)\(", re.MULTILINE)


READING = fork_lock()


class TextLibrary(Library):
    """The operators of texts, each taken from its text when it is first needed."""

    def __init__(self, families: Mapping[str, str]) -> None:
        super().__init__()
        self._order = tuple(families)
        self._families = dict(families)  # operator -> family, for those that no one has asked for

    @property
    def unread(self) -> tuple[str, ...]:
        """The operators that no one has asked for."""
        return tuple(self._families)

    @property
    def added(self) -> tuple[Op, ...]:
        """The operators that are of no text of the library."""
        return tuple(op for name, op in self._ops.items() if name not in self._order)

    def copy(self) -> TextLibrary:
        """A library of its own with the same operators; what is added to it does not show here."""
        other = TextLibrary(self._families)
        other._order = self._order
        for op in super().__iter__():
            other.add(op)
        return other

    def get(self, name: str) -> Op | None:
        """The operator of that name, which may be a generated one (`concat_3`), or None."""
        if name in self._families:
            self._read(name)
        return super().get(name) or generated(name)

    def written_gradient(self, name: str) -> Op | None:
        """One that was added, else one of `GRADIENTS`, where its forward is of the library."""
        found = super().written_gradient(name)
        if found is None and name.removesuffix(GRADIENT) in self._order:
            found = written_gradients().get(name)
        return found

    def add(self, op: Op) -> None:
        """Takes an operator in. A name may be given again only to an equal operator."""
        self.get(op.name)
        super().add(generated(op.name) or op)
        super().add(op)

    def __contains__(self, name: str) -> bool:
        return name in self._families or super().__contains__(name)

    def __iter__(self) -> Iterator[Op]:
        """In the order of the texts; what was added comes last."""
        for name in self.unread:
            self._read(name)
        parsed = {op.name: op for op in super().__iter__()}
        return iter([parsed[name] for name in dict.fromkeys((*self._order, *parsed))])

    def __len__(self) -> int:
        return len(self._families) + super().__len__()

    def _read(self, name: str) -> None:
        with unforked(), READING:  # a thread that finds a name gone finds its operator there
            family = self._families.get(name)
            if family is not None:
                super().add(_trees(family)[name])
                self._families = {other: of for other, of in self._families.items() if other != name}


@cache
def library() -> TextLibrary:
    """All operators of the library. Callers that add operators of their own copy it first: `library().copy()`."""
    return TextLibrary(_families())


def text_of(family: str) -> str:
    """The source of one of `FAMILIES`."""
    return files("uol.ops").joinpath(f"{family}.uol").read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """The names of the library's operators, in the order of their texts."""
    return tuple(_families())


def family_of(op: str) -> str | None:
    """The family of an operator; None for one that is not of the library."""
    return _families().get(op)


@cache
def written_gradients() -> dict[str, Op]:
    """The gradients of library operators that are written, in place of the derived ones, by name."""
    return {name: op for text in GRADIENTS for name, op in _trees(text).items()}


@cache
def _families() -> dict[str, str]:
    return {name: family for family in FAMILIES for name in _OPERATOR.findall(text_of(family))}


@cache
def _trees(family: str) -> Mapping[str, Op]:
    return trees_of(text_of(family), f"{family}.uol")

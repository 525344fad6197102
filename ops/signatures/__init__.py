"""PyTorch's functions as rows: what each takes, and which text computes it.

    conv2d = { of = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
               is = "conv2d_bias(input, weight, bias, stride=stride, pad=padding, dilation=dilation, groups=groups)",
               by = ["unbatched 4 input", "same", "without bias conv2d"] }

    of      the arguments, as PyTorch declares them
    is      the call of the text; `same(...)` is the text that has the row's own name
    by      rewrites of `uol.pytorch.signatures`, in order: a name and what it is given
    only    the values of arguments for which there is a text; any other is refused
    write   what to write where an argument is refused

A key of several names, `"sin cos"`, is a row for each. A function with several forms, as `max` has, is a list of rows, of which
a call takes the first whose arguments fit. A family is a file; it is read when one of its names is first asked for.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FAMILIES = ("elementwise", "activations", "reductions", "rows", "products", "windows", "norms", "losses", "indexing", "shapes")

_KEY = re.compile(r'^(?:"([\w ]+)"|(\w+)) = ', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a function. `tensors`: the arguments that are the text's inputs, in its order; `attributes`: the text's
    attributes, each with the name of an argument, or with a constant as the text of a literal."""

    name: str
    of: str
    text: str
    tensors: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    rewrites: tuple[tuple[str, ...], ...]
    only: Mapping[str, Sequence[Any]]
    write: Mapping[str, str]

    @property
    def texts(self) -> tuple[str, ...]:
        """The text, and those that a rewrite may choose in its place."""
        others = [words[-1] for words in self.rewrites if words[0] in ("variant", "without", "given")]
        return tuple(dict.fromkeys((self.text, *others)))


@cache
def names() -> tuple[str, ...]:
    """The functions that have rows."""
    return tuple(_families())


@cache
def forms_of(name: str) -> tuple[Form, ...]:
    """The forms of a function, none where it has no row."""
    family = _families().get(name)
    if family is None:
        return ()
    rows = _rows(family)[name]
    return tuple(_form(name, row) for row in (rows if isinstance(rows, list) else [rows]))


@cache
def _families() -> dict[str, str]:
    found: dict[str, str] = {}
    for family in FAMILIES:
        for several, one in _KEY.findall(_source(family)):
            found |= dict.fromkeys((several or one).split(), family)
    return found


@cache
def _rows(family: str) -> dict[str, Any]:
    table = tomllib.loads(_source(family))
    return {name: row for key, row in table.items() for name in key.split()}


def _source(family: str) -> str:
    return files("uol.ops.signatures").joinpath(f"{family}.toml").read_text(encoding="utf-8")


def _form(name: str, row: Mapping[str, Any]) -> Form:
    call = ast.parse(row["is"], mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"{name}: {row['is']!r} is no call of a text")
    text = name if call.func.id == "same" else call.func.id
    tensors = tuple(ast.unparse(x) for x in call.args)
    attributes = tuple((str(k.arg), ast.unparse(k.value)) for k in call.keywords)
    only = {key: value if isinstance(value, list) else [value] for key, value in row.get("only", {}).items()}
    rewrites = tuple(tuple(words.split()) for words in row.get("by", ()))
    return Form(name, row["of"], text, tensors, attributes, rewrites, only, row.get("write", {}))

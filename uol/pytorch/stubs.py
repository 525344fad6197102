"""The types of `uol.ops.<name>` and `uol.ops.text.<name>` for a type checker: a function for each of PyTorch's from the rows of
`uol.ops.signatures`, one for each operator and each gradient from the texts.

    def softmax(input: Tensor, dim: int | None = None, ...) -> Tensor: ...
    def softmax(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...

`python -m uol.pytorch.stubs` prints what `ops/__init__.pyi` holds, with `text` what `ops/text.pyi` does; a test holds the files
against it. An operator that a program registers is not in them: `uol.op` returns a function of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from math import isfinite

from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Attribute, Number, Op, Unary
from uol.ops import signatures
from uol.ops.aliasing import aliases_of
from uol.ops.other_names import ALIASES
from uol.ops.texts import library
from uol.pytorch.dim_argument import row_form
from uol.pytorch.layers import window_options
from uol.pytorch.layers.option_variants import has_corners, is_counted, is_mean, is_pool, reductions_of
from uol.pytorch.schema import type_options
from uol.pytorch.signatures.stub_lines import function_lines

_HEAD = '''\
"""{what} Generated: `make stubs`."""

from collections.abc import Callable, Sequence
from typing import Literal{more}

import torch
from torch import Tensor
{imports}
_Input = Tensor | float
"""A number stands for a tensor of no dims; one input at least is a tensor."""
_Sizes = int | Sequence[int] | None
"""One number for all axes, or one for each."""

def provide(callable_of: Callable[[str], object]) -> None: ...
'''
_VARIADIC = """\
from uol.pytorch.variadic import concat as concat
from uol.pytorch.variadic import einsum as einsum
from uol.pytorch.variadic import stack as stack
"""
_FACE = "The operators of `uol.ops` as a type checker sees them: with PyTorch's arguments, where it has a function of the name."
_TEXT = "The operators of `uol.ops.text` as a type checker sees them: with the arguments of their texts."


def stub_text() -> str:
    """The stub file of `uol.ops`: its head, PyTorch's functions, then the operators that PyTorch has no function for."""
    imports = f"\nfrom uol.ops import text as text\nfrom uol.pytorch import foreach as foreach\n{_VARIADIC}"
    head = _HEAD.format(what=_FACE, more=", overload", imports=imports)
    functions = [line for name in signatures.names() for line in function_lines(name)]
    names = [f"{alias} = {name}" for alias, name in sorted(ALIASES.items()) if not signatures.forms_of(alias)]
    return "\n".join([head, *functions, "", *_operators(signatures.names()), "", *names]) + "\n"


def text_stub() -> str:
    """The stub file of `uol.ops.text`: head, operators in the order of the texts, each followed by its gradient and its
    in-place form."""
    head = _HEAD.format(what=_TEXT, more="", imports=f"\n{_VARIADIC}")
    names = [f"{alias} = {name}" for alias, name in sorted(ALIASES.items())]
    return "\n".join([head, *_operators(()), "", *names]) + "\n"


def _operators(apart: Collection[str]) -> Iterator[str]:
    """The lines of the library's operators, but those of some names."""
    own = library().copy()
    for op in library():
        for line in _operator(op, own.get(op.name + GRADIENT)):
            if not any(line.startswith(f"def {name}(") for name in (op.name,) if name in apart):
                yield line


def _operator(op: Op, gradient: Op | None) -> Iterator[str]:
    yield _function(op)
    if gradient is not None:
        yield _function(gradient)
    aliases = aliases_of(op.name)
    if aliases:
        inputs = [f"{p.name}: {'Tensor' if p.name in aliases else '_Input'}" for p in op.params]
        options = [f"{name}: {kind}" for name, kind in (_types(op) | _attributes(op)).items()]
        given = ", ".join([*inputs, "/", *(["*", *options] if options else [])])
        yield f"def {op.name}_({given}) -> {_results(len(op.results) - len(aliases))}: ..."


def _function(op: Op) -> str:
    inputs = [f"{p.name}: _Input" for p in op.params]
    options = {**_types(op), **_attributes(op), **_chosen(op), **_rows(op)}
    options["out"] = "Tensor | None = None" if len(op.results) == 1 else "Sequence[Tensor] | None = None"
    given = ", ".join([*inputs, "*", *(f"{name}: {kind}" for name, kind in options.items())])
    return f"def {op.name}({given}) -> {_results(len(op.results))}: ..."


def _results(number: int) -> str:
    if number == 0:
        return "None"
    return "Tensor" if number == 1 else f"tuple[{', '.join(['Tensor'] * number)}]"


def _types(op: Op) -> dict[str, str]:
    return {name: "torch.dtype" for name in type_options(op)}


def _attributes(op: Op) -> dict[str, str]:
    """The attributes by name, with those that PyTorch calls otherwise. A default that is computed from others is None."""
    listed = window_options.with_axes(op)
    found: dict[str, str] = {}
    for attribute in op.attributes:
        kind = "_Sizes" if attribute.name in listed else attribute.type
        theirs = [name for name, ours in window_options.NAMES.items() if ours == attribute.name and window_options.axes_of(op)]
        found[attribute.name] = kind + _default(attribute, kind, optional=bool(theirs))
        found |= {name: "_Sizes = None" for name in theirs}
    return found


def _default(attribute: Attribute, kind: str, *, optional: bool) -> str:
    match attribute.default:
        case Number(value=value) if isfinite(value):
            return f" = {value!r}"
        case Unary(op="neg", arg=Number(value=value)) if isfinite(value):
            return f" = -{value!r}"
        case None if not optional:
            return ""
    return " = None" if kind == "_Sizes" else " | None = None"


def _chosen(op: Op) -> dict[str, str]:
    """The options that choose among texts."""
    found: dict[str, str] = {}
    if is_mean(op):
        found["reduction"] = f"Literal[{', '.join(map(repr, reductions_of(op)))}] = 'mean'".replace("'", '"')
    if has_corners(op):
        found["align_corners"] = "bool | None = None"
    if is_pool(op):
        found["ceil_mode"] = "bool = False"
        found |= {"count_include_pad": "bool = True"} if is_counted(op) else {}
    return found


def _rows(op: Op) -> dict[str, str]:
    form = row_form(op)
    if form is None:
        return {}
    if all(form.reduces):
        return {"dim": "int | Sequence[int] | None = -1", "keepdim": "bool = False"}
    return {"dim": "int = -1"}


if __name__ == "__main__":
    print(text_stub() if sys.argv[1:] == ["text"] else stub_text(), end="")

"""The function that a row stands for: `uol.ops.<name>`.

A call that the text takes as it is, tensors in its order and no option, goes to its kernel at once. Any other is bound by
PyTorch's arguments, rewritten, and given to the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from torch import Tensor

from uol.binding.argument_checks import shown
from uol.ir.errors import ShapeError, TypeCheckError
from uol.ir.syntax.surface import Number
from uol.operators.registry import find_operator
from uol.ops import text as texts
from uol.ops.signatures import Form, forms_of
from uol.pytorch import bridge
from uol.pytorch.fallback import MODE
from uol.pytorch.fast_path import is_eager
from uol.pytorch.out import require_fit, require_no_gradient
from uol.pytorch.signatures import (  # noqa: F401  # importing them fills REWRITES, by whose names rows ask
    bags,
    composed,
    counting,
    families,
    losses,
    optional,
    orders,
    padding,
    placing,
    resampling,
    results,
    shapes,
    types,
)
from uol.pytorch.signatures.binding import Bind, binder_of, bound, fits, signature_of
from uol.pytorch.signatures.call import REWRITES, Call, Rewrite
from uol.pytorch.signatures.help import described

CALM = {"promoted", "floating", "truth", "inplace", "quotient", "times", "floats", "real", "of_whole"}
"""Rewrites that change nothing of a call which the text takes: tensors of one type, and no option."""


class Function:
    """The forms of one of PyTorch's functions, each with its binder and its rewrites."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.forms = tuple(_Form(form) for form in forms_of(name))

    def __call__(self, given: Sequence[Any], named: dict[str, Any]) -> Any:
        """The call, bound and rewritten."""
        out = named.pop("out", None) if "out" in named else None
        form, arguments = self._bound(given, named)
        form.require_admitted(arguments)
        call = Call(form.row, arguments)
        for rewrite, words in form.rewrites:
            rewrite(call, *words)
        if out is None:
            return call.run()
        if not call.finishes and "dim" not in call.attributes:
            return call.run(out=out)
        return _into(self.name, call.run(), out)

    def _bound(self, given: Sequence[Any], named: Mapping[str, Any]) -> tuple[_Form, dict[str, Any]]:
        if len(self.forms) == 1:
            return self.forms[0], bound(self.forms[0].row, self.forms[0].bind, given, named)
        for form in self.forms:
            arguments = form.fitting(given, named)
            if arguments is not None:
                return form, arguments
        hint = "as PyTorch has it: " + "; or ".join(f"{self.name}({form.row.of})" for form in self.forms)
        raise TypeCheckError(f"{self.name} has no form for {', '.join(map(shown, given))}", hint=hint)


class _Form:
    def __init__(self, row: Form) -> None:
        self.row = row
        self.bind: Bind = binder_of(row)
        parameters = signature_of(row).parameters
        self.needed = tuple(p.name for p in parameters.values() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL)
        self.rewrites: tuple[tuple[Rewrite, tuple[str, ...]], ...] = tuple((REWRITES[w[0]], w[1:]) for w in row.rewrites)
        self.names = frozenset(parameters)
        self.in_places = tuple(p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD)
        self.takes_any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        self.defaults = {p.name: p.default for p in parameters.values() if p.default is not p.empty}
        in_order = tuple(parameters)[: len(row.tensors)] == row.tensors == self.needed
        self.is_direct = in_order and all(words[0] in CALM for words in row.rewrites) and self._has_its_texts_defaults()

    def _has_its_texts_defaults(self) -> bool:
        """Is a call without options the text's own one?"""
        op = find_operator(self.row.text)
        own: dict[str, Any] = {a.name: a.default.value for a in op.attributes if isinstance(a.default, Number)} | {"dim": -1}
        return all(of in self.defaults and own.get(name) == self.defaults[of] for name, of in self.row.attributes)

    def fitting(self, given: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any] | None:
        """The arguments, or None where they are of another form."""
        if not self._takes(given, named):
            return None
        arguments = self.bind(*given, **named)
        return arguments if fits(self.row, arguments, self.needed) else None

    def _takes(self, given: Sequence[Any], named: Mapping[str, Any]) -> bool:
        """Are there as many arguments as the form has, under its names? (A trace cannot try, and see what is raised.)"""
        first = self.in_places[: len(given)]
        if len(given) > len(self.in_places) and not self.takes_any_number:
            return False
        if any(name in first or name not in self.names for name in named):
            return False
        return all(name in first or name in named for name in self.needed)

    def require_admitted(self, arguments: Mapping[str, Any]) -> None:
        """Raises TypeCheckError for a value that has no text."""
        for name, admitted in self.row.only.items():
            value = arguments[name]
            if any(_is(value, each) for each in admitted):
                continue
            write = self.row.write.get(name)
            listed = " or ".join(str(each) if each == "None" else repr(each) for each in admitted)
            hint = f"write {write}" if write else f"write {name}={listed}; PyTorch's own function has the rest"
            raise TypeCheckError(f"{self.row.name}: {name}={shown(value)} has no text", hint=hint)


def _is(value: Any, admitted: Any) -> bool:
    if admitted == "None":
        return value is None
    return isinstance(value, str | int | float) and bool(value == admitted)


@cache
def function(name: str) -> Callable[..., Any]:
    """The function behind `uol.ops.<name>`, of a name that has a row."""
    full = Function(name)
    first = full.forms[0]
    call = _direct(full, first) if len(full.forms) == 1 and first.is_direct else _bound_always(full)
    call.__name__ = call.__qualname__ = name
    call.__module__ = "uol.ops"  # where pickle finds it
    described(call, name, [form.row for form in full.forms])
    return call


def _bound_always(full: Function) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        return full(given, named)

    return call


def _direct(full: Function, form: _Form) -> Callable[..., Any]:
    getattr(texts, form.row.text)  # which makes it known
    own, arity = bridge.defined()[form.row.text], len(form.row.tensors)

    def call(*given: Any, **named: Any) -> Any:
        if not named and len(given) == arity and not MODE.depth and is_eager(given):
            try:
                return own.call_eagerly(given, {})
            except (TypeCheckError, ShapeError):  # tensors of several types, say, which PyTorch promotes
                pass
        return full(given, named)

    return call


def _into(name: str, found: Any, out: Any) -> Any:
    """The results in given tensors, which have their shapes and types."""
    made = (found,) if isinstance(found, Tensor) else tuple(found)
    outs = (out,) if isinstance(out, Tensor) else tuple(out)
    if len(outs) != len(made) or not all(isinstance(o, Tensor) for o in outs):
        raise TypeCheckError(f"{name}: out is {'a PyTorch tensor' if len(made) == 1 else f'{len(made)} PyTorch tensors'}")
    require_no_gradient(name, (*made, *outs))
    for y, target in zip(made, outs, strict=True):
        require_fit(name, target, tuple(y.shape), y.dtype)
        target.copy_(y)
    return out

"""What `help(uol.ops.<name>)` says: PyTorch's arguments, the maths as the text has it, types, options, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from uol.ops.signatures import Form
from uol.pytorch.signatures.binding import signature_of


def described(function: Callable[..., Any], name: str, forms: Sequence[Form]) -> None:
    """Gives a function its signature and its docstring."""
    own: Any = function
    own.__signature__ = signature_of(forms[-1])
    own.__doc__ = docstring(name, forms)


def docstring(name: str, forms: Sequence[Form]) -> str:
    """All that is known of a function from its rows and its texts."""
    return "\n".join(_lines(name, forms))


def _lines(name: str, forms: Sequence[Form]) -> Iterator[str]:
    from uol.ir.syntax.printer import print_op
    from uol.operators.registry import catalogue

    yield "; ".join(f"{name}({form.of})" for form in forms)
    yield ""
    yield "The arguments, their defaults and the results are those of PyTorch's function of this name."
    op = catalogue().get(forms[-1].text)
    if op is not None:
        yield from ("", "Its text:", "", *("    " + line for line in print_op(op).strip().splitlines()))
        yield ""
        known = ", ".join(dict.fromkeys(t for d in op.domain for t in d.types))
        yield f"Types: {known or 'those of the text'}."
    others = dict.fromkeys(text for form in forms for text in form.texts if text != forms[-1].text)
    if others:
        yield f"By its arguments also: {', '.join(others)}."
    for form in forms:
        for argument, values in form.only.items():
            yield f"Only {argument} = {' or '.join(map(str, values))}; any other is refused."
    yield f"By the text's own order: uol.ops.text.{forms[-1].text}."

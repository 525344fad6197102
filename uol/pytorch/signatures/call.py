"""A call of one of PyTorch's functions on its way to a text, and the rewrites by which it gets there."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from uol.ir.errors import TypeCheckError
from uol.ops import text as texts
from uol.ops.signatures import Form

Arguments = dict[str, Any]
Finish = Callable[[Any], Any]


class Call:
    """The arguments by name, the text that is to be called, its inputs and attributes by the names of arguments, or as
    literals, and what is done to the result, the last first."""

    def __init__(self, form: Form, arguments: Arguments) -> None:
        self.name = form.name
        self.args = arguments
        self.text = form.text
        self.tensors = list(form.tensors)
        self.attributes = dict(form.attributes)
        self.finishes: list[Finish] = []

    def run(self, **more: Any) -> Any:
        """What the text gives, as PyTorch's function would give it. `more` goes to the text."""
        args = self.args
        inputs = [args[name] if name in args else ast.literal_eval(name) for name in self.tensors]
        options = {name: args[of] if of in args else ast.literal_eval(of) for name, of in self.attributes.items()}
        result = getattr(texts, self.text)(*inputs, **options, **more)
        for finish in reversed(self.finishes):
            result = finish(result)
        return result

    def without(self, argument: str) -> None:
        """Leaves an argument out of what the text is given."""
        self.tensors = [name for name in self.tensors if name != argument]
        self.attributes = {name: of for name, of in self.attributes.items() if of != argument}

    def refuse(self, what: str, write: str) -> TypeCheckError:
        """The error for what PyTorch has and no text has, to be raised."""
        return TypeCheckError(f"{self.name}: {what} has no text", hint=f"write {write}")


Rewrite = Callable[..., None]
REWRITES: dict[str, Rewrite] = {}


def rewrite(function: Rewrite) -> Rewrite:
    """Makes a function known to rows by its name. It takes the call, and the words that a row has behind the name."""
    REWRITES[function.__name__] = function
    return function

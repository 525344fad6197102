"""The examples of PyTorch's own documentation, as calls of a function.

A docstring's lines are run one after the other; each call of the function in them is handed out with its arguments, and goes on
with PyTorch's result.
"""

from __future__ import annotations

import ast
import doctest
import math
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

HOMES: tuple[Any, ...] = (torch.nn.functional, torch, torch.special)
"""Where a function of a name is documented."""
OTHER_HOMES: tuple[Any, ...] = (torch.linalg, torch.Tensor)
"""Where it is, if not there: `linalg.norm` and `Tensor.unfold` are other functions than those of the name."""

Called = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], None]
"""What is told of a call: PyTorch's function, its arguments."""


def documented(name: str) -> Iterator[str]:
    """The docstrings with examples of the functions of this name, and of the method that writes its result over its input."""
    seen = set()
    for home, known in (*((home, name) for home in _homes(name)), (torch.Tensor, f"{name}_")):
        text = getattr(getattr(home, known, None), "__doc__", None) or ""
        if ">>>" in text and text not in seen:
            seen.add(text)
            yield text


def _homes(name: str) -> tuple[Any, ...]:
    found = tuple(home for home in HOMES if hasattr(home, name))
    return found or tuple(home for home in OTHER_HOMES if hasattr(home, name))


def run(name: str, text: str, called: Called) -> list[str]:
    """Runs the examples of a docstring, and tells of each call. Returns what PyTorch itself refuses, line by line."""
    torch.manual_seed(0)
    space: dict[str, Any] = {"torch": torch, "F": torch.nn.functional, "nn": torch.nn, "math": math}

    def call(base: Any, known: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        theirs = getattr(base, known)
        if isinstance(base, types.ModuleType) and base in _homes(name):
            called(theirs, given, named)
        elif isinstance(base, torch.Tensor) and not hasattr(torch.nn.functional, name):
            called(getattr(torch.Tensor, name), (base, *given), named)
        return theirs(*given, **named)

    space["__called"] = call
    failed = []
    for example in doctest.DocTestParser().get_examples(_dedented(text)):
        try:
            tree = ast.fix_missing_locations(_Calls(name).visit(ast.parse(example.source)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(tree, name, "exec"), space)
        except Exception as error:
            failed.append(f"{example.source.strip()}: {type(error).__name__}: {str(error).strip()[:100]}")
    return failed


def _dedented(text: str) -> str:
    """Prompts at one depth, and without the results, which the parser would want at the same."""
    kept = [line.lstrip() for line in text.splitlines() if line.lstrip().startswith((">>>", "... ", "...    "))]
    return "\n".join(line if line[3:4] in ("", " ") else f"{line[:3]} {line[3:]}" for line in kept) + "\n"


class _Calls(ast.NodeTransformer):
    """Calls `x.name(...)` become `__called(x, "name", (...), {...})`, those of `name_` too."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in (self.name, f"{self.name}_"):
            return node
        names: list[ast.expr | None] = [None if k.arg is None else ast.Constant(k.arg) for k in node.keywords]
        keywords = ast.Dict(names, [k.value for k in node.keywords])
        arguments = [node.func.value, ast.Constant(node.func.attr), ast.Tuple(node.args, ast.Load()), keywords]
        return ast.Call(ast.Name("__called", ast.Load()), arguments, [])

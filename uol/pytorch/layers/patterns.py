"""Norms, softmax and SiLU that are written out: in a module of one's own (`LlamaRMSNorm`), or in a function of tensors.

What is written is traced by `torch.fx` on examples of two ranks, and matched by the rules of `torch.compile(backend="uol")`
(`graph/matching`): where nothing but one call of PyTorch's own function is left, that is what is computed. A cast to f32 and
back is none on f32, for which alone it counts then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from uol.pytorch.graph.matching import match

KNOWN = (functional.rms_norm, functional.layer_norm, functional.softmax, functional.log_softmax)
WIDTH = 8
"""Of the rows of an example for what has no parameters."""
CASTS = ("float", "to", "type_as", "double", "type")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text turned out to be. `function`: PyTorch's; `arguments`: its own, where a place of the text's arguments or the
    name of a parameter stands for a tensor; `types`: for which it holds."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    count: int
    types: tuple[torch.dtype, ...]

    def fits(self, given: tuple[Any, ...], owner: nn.Module | None) -> bool:
        """Is this a call for which the pattern was found to hold: rows of a length, and what is as long as they are?"""
        if len(given) != self.count or not all(isinstance(x, Tensor) for x in given):
            return False
        x, *more = [self._tensor(a, given, owner) for a in self.arguments if isinstance(a, Argument)]
        alike = all(w.shape == x.shape[-1:] and w.dtype == x.dtype for w in more)
        return x.dim() > 0 and x.dtype in self.types and x.shape[-1] > 1 and alike

    def bound(self, given: tuple[Any, ...], owner: nn.Module | None) -> list[Any]:
        """The arguments of PyTorch's function."""
        width = (given[0].shape[-1],)
        own = [self._tensor(a, given, owner) if isinstance(a, Argument) else a for a in self.arguments]
        return [width if isinstance(a, tuple) else a for a in own]

    @staticmethod
    def _tensor(argument: Argument, given: tuple[Any, ...], owner: nn.Module | None) -> Any:
        return given[argument.of] if isinstance(argument.of, int) else attrgetter(argument.of)(owner)


@dataclass(frozen=True, slots=True)
class Argument:
    """A tensor of the text: the place among its arguments, or the name among its module's parameters."""

    of: int | str


def pattern_of(text: Callable[..., Any] | nn.Module) -> Pattern | None:
    """What a function of tensors, or a module's `forward`, computes, where that is known; None where it is not."""
    found = {_traced(text, rank) for rank in (2, 3)}
    return found.pop() if len(found) == 1 else None


def _traced(text: Callable[..., Any] | nn.Module, rank: int) -> Pattern | None:
    names = tensors_of(text)
    if _has_defaults(text):
        return None
    width = next((p.shape[0] for p in text.parameters() if p.dim() == 1), WIDTH) if isinstance(text, nn.Module) else WIDTH
    if not names or width < 2:
        return None
    examples = [torch.zeros((*range(2, rank + 1), width)), *[torch.zeros(width) for _ in names[1:]]]
    try:
        module = fx.symbolic_trace(text)
        _Values(module).run(*examples)
    except Exception:  # what the user's code raises on a proxy, or on an example: it is none of these then
        return None
    casts = _without_casts(module)
    match(module)
    module.graph.eliminate_dead_code()
    return _one_call(module.graph, len(names), (torch.float32,) if casts else (torch.float32, torch.float64))


def tensors_of(text: Callable[..., Any] | nn.Module) -> list[str]:
    """The arguments that have no default, where all are given by place."""
    parameters = _parameters(text)
    if any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in parameters):
        return []
    return [p.name for p in parameters if p.default is p.empty]


def _has_defaults(text: Callable[..., Any] | nn.Module) -> bool:
    return any(p.default is not p.empty for p in _parameters(text))


def _parameters(text: Callable[..., Any] | nn.Module) -> list[inspect.Parameter]:
    return [*inspect.signature(text.forward if isinstance(text, nn.Module) else text).parameters.values()]


class _Values(fx.Interpreter):
    """Keeps the value of each node, by which the rules know shapes and types."""

    def run_node(self, n: fx.Node) -> Any:
        found = n.meta["example_value"] = super().run_node(n)
        return found


def _without_casts(module: fx.GraphModule) -> bool:
    """Leaves out casts of f32 to f32; were there any?"""
    found = False
    for n in list(module.graph.nodes):
        if n.op == "call_method" and n.target in CASTS and isinstance(n.meta["example_value"], Tensor):
            source = n.args[0].meta["example_value"]
            if source.dtype is n.meta["example_value"].dtype:
                n.replace_all_uses_with(n.args[0])
                module.graph.erase_node(n)
                found = True
    return found


def _is_known(call: fx.Node) -> bool:
    """Is it a function that is worth a call, or SiLU that was written out?"""
    return call.target in KNOWN or (call.target is functional.silu and "uol_matched" in call.meta)


def _one_call(graph: fx.Graph, count: int, types: tuple[torch.dtype, ...]) -> Pattern | None:
    calls = [n for n in graph.nodes if n.op not in ("placeholder", "get_attr", "output")]
    places = [n for n in graph.nodes if n.op == "placeholder"]
    output = next(n for n in graph.nodes if n.op == "output")
    if len(calls) != 1 or not _is_known(calls[0]) or calls[0].kwargs or output.args[0] is not calls[0]:
        return None
    if calls[0].args[0] is not places[0] or {n for n in calls[0].all_input_nodes if n.op == "placeholder"} != {*places}:
        return None
    own = [
        Argument(places.index(a) if a.op == "placeholder" else str(a.target)) if isinstance(a, fx.Node) else a
        for a in calls[0].args
    ]
    return Pattern(calls[0].target, tuple(own), count, types)

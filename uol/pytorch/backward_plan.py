"""The way back through an operator for some of its inputs: what is kept for it, and the gradient operators that take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Protocol

import torch
from torch._C._functorch import is_legacy_batchedtensor as is_batch

from uol.ir.syntax.surface import Op
from uol.operators.gradients import Backward, GradientOp
from uol.pytorch.fast_path import is_eager
from uol.pytorch.launch_plan import Form, Forms, Prepared
from uol.pytorch.repeated import Repeated, repeated
from uol.pytorch.schema import type_options

Tensor = torch.Tensor


class Callee(Protocol):
    """A gradient operator as PyTorch knows it."""

    def find(self, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Prepared:
        """Its kernel, past PyTorch's dispatcher."""

    def call(self, inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Any:
        """Its results, so that they may be differentiated again."""


class Step:
    """One gradient operator, on cotangents and on what was kept of a call of `forward`."""

    def __init__(self, gradient: GradientOp, forward: Op, kept: Sequence[tuple[str, int]], callee: Callee) -> None:
        self.callee = callee
        self.read = [at for kind, at in gradient.sources if kind == "cotangent"]
        count = len(forward.results)
        self.taken = picker([at if k == "cotangent" else count + kept.index((k, at)) for k, at in gradient.sources])
        self.attributes = [a.name for a in gradient.op.attributes]
        types = {p.type: at for at, p in enumerate(forward.params)}
        self.types = [(key, types[variable]) for key, variable in type_options(gradient.op).items()]
        names = [p.name for p in forward.params]
        self.places = [names.index(name) for name in gradient.wrt]
        self.views = _views(gradient, forward)

    def __call__(
        self, cotangents: Sequence[Tensor | None], kept: Sequence[Tensor], forms: Forms, given: Mapping[str, Any]
    ) -> list[Tensor | None]:
        """One cotangent for each input, None where none is asked for."""
        if self.views is not None:
            return self._repeated(self.views, cotangents, forms)
        arguments = self.taken((*cotangents, *kept))
        options: dict[str, Any] = {}
        for name in self.attributes:
            if name in given:
                options[name] = given[name]
        for key, at in self.types:
            options[key] = forms.inputs[at][1]
        if not torch.is_grad_enabled() and is_eager(arguments) and not any(map(is_batch, arguments)):  # `is_grads_batched`
            found = self.callee.find(arguments, options).new(arguments)
        else:
            found = self.callee.call(arguments, options)
        return self._each((found,) if isinstance(found, Tensor) else found, forms)

    def _each(self, found: Sequence[Tensor], forms: Forms) -> list[Tensor | None]:
        each: list[Tensor | None] = [None] * len(forms.inputs)
        for place, dx in zip(self.places, found, strict=True):
            shape = forms.inputs[place][0]
            each[place] = dx if dx.shape == shape else dx.sum_to_size(shape)  # of an input that was broadcast
        return each

    def _repeated(self, views: Views, cotangents: Sequence[Tensor | None], forms: Forms) -> list[Tensor | None]:
        found: list[Tensor] = []
        for (view, at), place in zip(views, self.places, strict=True):
            dy = cotangents[at]
            assert dy is not None
            found.append(view.view(dy, forms.inputs[place][0]))
        return self._each(found, forms)


Views = Sequence[tuple[Repeated, int]]
"""What each result of a gradient repeats, and of which of the forward's results that is the cotangent."""


def _views(gradient: GradientOp, forward: Op) -> Views | None:
    """None where something is computed; and where an input may have been broadcast from a shape that would have to be known."""
    sources = dict(zip((p.name for p in gradient.op.params), gradient.sources, strict=True))
    found = [(r, *sources.get(r.source, ("", 0))) for r in repeated(gradient.op) or ()]
    if not found or any(kind != "cotangent" or not (r.is_whole or len(forward.params) == 1) for r, kind, _ in found):
        return None
    return [(r, at) for r, _, at in found]


class Way:
    """The way back for some of the inputs. `kept`: what it reads, by place among the inputs, followed by the results."""

    def __init__(self, op: Op, back: Backward, define: Callable[[Op], Callee]) -> None:
        self.op, self.back, self.define = op, back, define
        self.kept = tuple([at + len(op.params) * (kind == "result") for kind, at in back.kept])
        self.taken = picker(self.kept)
        self.is_saving = back.plain is not None

    @cached_property
    def whole(self) -> Step:
        """For all cotangents."""
        return self._step(self.back.whole)

    @cached_property
    def plain(self) -> Step:
        """For those of the plain operator, where this one gives more than it (`is_saving`; see `Backward`)."""
        assert self.back.plain is not None
        return self._step(self.back.plain)

    def __call__(
        self, cotangents: Sequence[Tensor | None], kept: Sequence[Tensor], forms: Forms, given: Mapping[str, Any]
    ) -> list[Tensor | None]:
        """One cotangent for each input, None where none is asked for."""
        if not self.is_saving:
            return self.whole(cotangents, kept, forms, given)
        step = self.plain if all(dy is None for dy in cotangents[self.back.results :]) else self.whole
        return step(completed(cotangents, step.read, forms.results), kept, forms, given)

    def _step(self, gradient: GradientOp) -> Step:
        return Step(gradient, self.op, self.back.kept, self.define(gradient.op))


def completed(cotangents: Sequence[Tensor | None], read: Sequence[int], results: Sequence[Form]) -> tuple[Tensor | None, ...]:
    """The cotangents, with zeros for those that are read and that are none."""
    like = next(dy for dy in cotangents if dy is not None)
    pairs = enumerate(zip(cotangents, results, strict=True))
    return tuple(like.new_zeros(y[0], dtype=y[1]) if dy is None and at in read else dy for at, (dy, y) in pairs)


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What takes the elements at these places, in one step of Python's."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[at] for at in places]

"""What a call of an operator needs to know of its tensors' shapes, types and strides, found once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from uol.binding.layouts import Sizes
from uol.checking import MODE, Checks
from uol.compilation.request import Request
from uol.pytorch.large_pages import ask_for_large_pages

Tensor = torch.Tensor
Result = Tensor | tuple[Tensor, ...]
Form = tuple[Sizes, torch.dtype]
"""A tensor's shape and type."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Those of a call's inputs and results; `whole`: at which places results have no derivative, being whole numbers."""

    inputs: tuple[Form, ...]
    results: tuple[Form, ...]
    whole: tuple[int, ...]


def forms_of(inputs: Sequence[Form], results: Sequence[Form]) -> Forms:
    """The forms of a call, from those of its tensors."""
    whole = [at for at, (_, dtype) in enumerate(results) if not dtype.is_floating_point]
    return Forms(tuple(inputs), tuple(results), tuple(whole))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A kernel for tensors of given shapes, types and strides.

    checks   of the values, in checked mode
    forms    of inputs and results
    expand   the sizes that inputs are broadcast to, None for one that has its size; None where all have. A kernel reads a
             broadcast input where it lies: it is the checks (`uol.checked`) that want it at its full size
    strides  of the results
    only     the form and the strides of the result where there is one
    alike    that lies as the first input does
    scalars  run-time attributes and sizes of dims, which the kernel takes after the tensors
    in_place the one result, laid out by the caller, may be written where the one input lies
    large    at which places results are that are worth large pages (`large_pages`)
    asked    the request at the sizes of the call; the kernel may be one for any size
    """

    call: Callable[..., None]
    checks: Checks
    forms: Forms
    expand: tuple[Sizes | None, ...] | None
    strides: tuple[Sizes, ...]
    only: tuple[Form, Sizes] | None
    alike: bool
    scalars: tuple[int | float, ...]
    in_place: bool
    large: tuple[int, ...]
    asked: Request

    def new(self, inputs: Sequence[Tensor]) -> Result:
        """New tensors with the results."""
        if self.only is not None:  # in as few steps as can be
            (size, dtype), strides = self.only
            out = torch.empty_like(inputs[0]) if self.alike else inputs[0].new_empty_strided(size, strides, dtype=dtype)
            if self.large:
                ask_for_large_pages(out)
            if MODE.depth:
                self.run(inputs, (out,))
            else:
                self.call(*inputs, out, *self.scalars)
            return out
        like = inputs[0].new_empty_strided
        pairs = zip(self.forms.results, self.strides, strict=True)
        outs = [like(size, strides, dtype=dtype) for (size, dtype), strides in pairs]
        for place in self.large:
            ask_for_large_pages(outs[place])
        self.run(inputs, outs)
        return tuple(outs)

    def run(self, inputs: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        """The results in given tensors."""
        if MODE.depth:
            self._observed(inputs, outs)
        else:
            self.call(*inputs, *outs, *self.scalars)

    def _observed(self, inputs: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        """The call, with the checks of its inputs before it and its observers after it."""
        self._check(inputs, outs)
        if not MODE.observers:
            self.call(*inputs, *outs, *self.scalars)
            return
        written = {y.data_ptr() for y in outs}
        given = [x.clone() if x.data_ptr() in written else x for x in inputs]
        self.call(*inputs, *outs, *self.scalars)
        for observe in MODE.observers:
            observe(self, given, outs)

    def _check(self, inputs: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        if self.expand is not None:
            inputs = [x if size is None else x.expand(size) for x, size in zip(inputs, self.expand, strict=True)]
        self.checks.require((*inputs, *outs, *self.scalars))

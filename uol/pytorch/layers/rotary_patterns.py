"""Rotary embeddings that are written out in a function of tensors: of one tensor or of two, with tables of cosines and sines of
half the width or all of it, or with complex numbers in their place.

There are many ways to write one, so that it is not its text which is matched. The function is run on random numbers of several
sizes, and PyTorch's operators are watched meanwhile: products, sums and what moves elements, nothing else. Such a function is
a polynomial of the elements of its arguments, and two polynomials that agree at random places are the same one, save for a
chance in 2^50. Gradients are compared, too: what detaches a tensor, or has a gradient of its own, is none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from uol.ops import text as texts
from uol.ops.references.transformer import REFERENCES
from uol.pytorch.layers.patterns import tensors_of

WATCHED = frozenset(
    [
        *("mul", "add", "sub", "neg", "cat", "stack", "slice", "select", "split", "split_with_sizes", "unbind", "view"),
        *("alias", "_unsafe_view", "clone", "_to_copy", "unsqueeze", "squeeze", "transpose", "permute", "expand"),
        *("view_as_complex", "view_as_real", "complex", "empty_like", "copy_", "repeat", "as_strided"),
    ]
)
"""PyTorch's operators whose results are polynomials of what they are given."""
SIZES = ((2, 3, 5, 8), (3, 4, 2, 6))
"""Batches, heads, places and width of the examples, all different."""
BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5}
COMPLEX = {torch.float64: torch.complex128, torch.float32: torch.complex64}
MOST_KNOWN = 1024
"""Shapes of calls of which a function keeps the form."""
Parts = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Form:
    """How tables lie beside [batch, heads, places, width], or [batch, places, heads, width] where `places` is 1. `rank`: the
    dims of a table, of which those for heads, and for the batch unless `each_batch`, are 1. `operator`: the library's."""

    operator: str
    is_complex: bool
    places: int
    rank: int
    each_batch: bool

    @property
    def is_full(self) -> bool:
        """Has a table a number for every element, not for two?"""
        return "full" in self.operator

    def shape(self, x: Sequence[int]) -> tuple[int, ...]:
        """A table's, beside a tensor of that shape."""
        lead, width = x[0] if self.each_batch else 1, x[3] if self.is_full else x[3] // 2
        middle = (x[1], 1) if self.places == 1 else (1, x[2])
        return ((), (), (x[self.places], width), (lead, x[self.places], width), (lead, *middle, width))[self.rank]

    def parts(self, x: Tensor, tables: Sequence[Tensor]) -> Parts:
        """What the operator takes: heads in front of places, tables of its rank."""
        found = [tables[0].real, tables[0].imag] if self.is_complex else list(tables)
        if self.rank == 4:
            found = [t.squeeze(3 - self.places) for t in found]
        if self.is_full:
            found = [t.expand(x.shape[0], *t.shape[-2:]) for t in found]
        elif self.rank > 2:
            found = [t[0] for t in found]
        return (x if self.places == 2 else x.transpose(1, 2), found[0], found[1])

    def turned(self, operator: Callable[..., Tensor], x: Tensor, tables: Sequence[Tensor]) -> Tensor:
        """The embedding of a tensor, as it lies."""
        y = operator(*self.parts(x, tables))
        return y if self.places == 2 else y.transpose(1, 2)


def _forms(tables: int) -> Iterator[Form]:
    names = ("rotary_embedding_pairs", "rotary_embedding") if tables == 1 else tuple(n for n in REFERENCES if "rotary" in n)
    for name in names:
        for places in (2, 1):
            for rank, each in ((2, False), (3, False), (3, True), (4, False), (4, True)):
                if not each or "full" in name:
                    yield Form(name, tables == 1, places, rank, each)


@dataclass(frozen=True, slots=True)
class Rotary:
    """A function that turns its first `count` arguments by the others, in some of the forms and types."""

    count: int
    forms: tuple[tuple[Form, torch.dtype], ...]
    known: dict[object, Form | None] = field(default_factory=dict, compare=False)

    def __call__(self, given: tuple[Any, ...]) -> Any:
        """The library's result; None where these arguments are of no form that was found."""
        if not all([isinstance(x, Tensor) for x in given]) or torch.is_autocast_enabled(given[0].device.type):
            return None
        key = tuple([(x.shape, x.dtype) for x in given])
        if key not in self.known:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[key] = self._form(given)
        form = self.known[key]
        if form is None:
            return None
        operator, tables = getattr(texts, form.operator), given[self.count :]
        found = [form.turned(operator, x, tables) for x in given[: self.count]]
        return tuple(found) if self.count > 1 else found[0]

    def _form(self, given: tuple[Tensor, ...]) -> Form | None:
        turned, tables = given[: self.count], given[self.count :]
        if len(turned) < self.count or any(x.dim() != 4 or x.dtype != turned[0].dtype for x in turned):
            return None
        fitting = [f for f, dtype in self.forms if dtype == turned[0].dtype and _fits(f, turned, tables)]
        return fitting[0] if len(fitting) == 1 else None


def _fits(form: Form, turned: Sequence[Tensor], tables: Sequence[Tensor]) -> bool:
    if len(tables) != (1 if form.is_complex else 2) or (form.each_batch and turned[0].shape[0] == 1):
        return False
    dtype = COMPLEX[turned[0].dtype] if form.is_complex else turned[0].dtype
    shapes = {(form.shape(x.shape), x.shape[3] % 2) for x in turned}
    return shapes == {(t.shape, 0) for t in tables} and all(t.dtype == dtype for t in tables)


def rotary_of(text: Callable[..., Any]) -> Rotary | None:
    """What a function turns, and how; None where it is no rotary embedding."""
    names = tensors_of(text)
    counts = {2: ((1, 1),), 3: ((1, 2), (2, 1)), 4: ((2, 2),)}.get(len(names), ())
    if hasattr(text, "_torchdynamo_orig_callable"):
        return None
    try:
        for count, tables in counts:
            found = [(f, t) for f in _forms(tables) for t in BOUNDS if _agrees(text, f, count, t)]
            if found:
                return Rotary(count, tuple(found))
    except _Other:
        pass
    return None


class _Other(BaseException):
    """A function asks for something else. No `except Exception` of its own keeps that from us."""


class _Watch(TorchDispatchMode):
    """Lets polynomials pass."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Loading dynamo, to keep it off, takes seconds, and nothing is compiled here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ not in WATCHED:
            raise _Other
        return func(*args, **(kwargs or {}))


def _agrees(text: Callable[..., Any], form: Form, count: int, dtype: torch.dtype) -> bool:
    """Does a function compute a form, with its gradient, on all examples? Raises _Other where it never will."""
    return all(_agrees_at(text, form, count, dtype, sizes, seed) for seed, sizes in enumerate(SIZES))


def _agrees_at(text: Any, form: Form, count: int, dtype: torch.dtype, sizes: tuple[int, ...], seed: int) -> bool:
    drawn = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    shapes = [list(sizes) for _ in range(count)]
    for shape in shapes[1:]:
        shape[3 - form.places] += 4  # fewer or more heads
    given = [drawn(shape, dtype=dtype) for shape in shapes]
    kind = COMPLEX[dtype] if form.is_complex else dtype
    given += [drawn(form.shape(sizes), dtype=kind) for _ in range(1 if form.is_complex else 2)]
    before = [x.clone() for x in given]
    leaves = [x.requires_grad_() for x in given]
    try:
        with torch.enable_grad():
            with _Watch():  # type: ignore[no-untyped-call]  # PyTorch's
                found = text(*leaves)
            found = found if type(found) is tuple else (found,)
            operator: Any = REFERENCES[form.operator]
            wanted = [form.turned(operator, x, leaves[count:]) for x in leaves[:count]]
            cotangents = [drawn(y.shape, dtype=dtype) for y in wanted]
            if len(found) != count or any(y.shape != w.shape or y.dtype != w.dtype for y, w in zip(found, wanted, strict=True)):
                return False
            pairs = [*zip(found, wanted, strict=True)]
            gradients = (torch.autograd.grad(each, leaves, cotangents) for each in (found, wanted))
            pairs += zip(*gradients, strict=True)
    except Exception:  # what the function, or PyTorch, raises on tables of another form
        return False
    bound = BOUNDS[dtype]
    is_kept = all(x.detach().equal(y) for x, y in zip(given, before, strict=True))
    return is_kept and all(bool((a - b).abs().max() <= bound * b.abs().max()) for a, b in pairs)

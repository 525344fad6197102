"""Steps over lists of tensors: the calls of many positions, which are one launch on a target that has such.

A step is recorded on tensors without memory, position by position. Those of one operator, of the same types and options, are
what `uol.ops.foreach` launches together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

from uol.backends.cache.files import Key, open_cache
from uol.binding.layouts import is_dense
from uol.codegen.extensions import CountsRuns
from uol.compilation.foreach_launch import chunk_sizes, foreach_request
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request, Target
from uol.conformance.gap.model import (
    COUNTED,
    CallForm,
    CountedCall,
    CountedKernel,
    Known,
    counted_together,
    is_known,
    model_hash,
)
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class ListForm:
    """The calls of an operator at the positions of lists, in order."""

    op: str
    positions: tuple[CallForm, ...]

    @property
    def alike(self) -> ListForm:
        """The same for all types of one width."""
        return replace(self, positions=tuple(form.alike for form in self.positions))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The elements of each position."""
        return tuple(prod(form.inputs[0][1]) for form in self.positions)


Form = CallForm | ListForm


def listed(forms: Iterable[CallForm]) -> list[ListForm]:
    """The calls of a step over lists, those that are launched together in one form each. Raises UolError for one whose tensors
    do not lie alike: it is a step of its own."""
    found: dict[tuple[object, ...], list[CallForm]] = {}
    for form in forms:
        _, size, stride = form.inputs[0]
        if not is_dense(size, stride) or any(each[1:] != (size, stride) for each in form.inputs):
            said = f"a position of {form.op} has tensors that do not lie alike"
            raise UolError(said, hint="calls.toml says `together` of steps over lists; such a position is a step of its own")
        found.setdefault((form.op, tuple(dtype for dtype, _, _ in form.inputs), form.options), []).append(form)
    return [ListForm(positions[0].op, tuple(positions)) for positions in found.values()]


def on_target(forms: Mapping[Form, int], target: Target) -> dict[Form, int]:
    """How often each call comes on a target: where it has no launches over many runs, positions are calls of their own."""
    found: dict[Form, int] = {}
    for form, calls in forms.items():
        is_apart = isinstance(form, ListForm) and not isinstance(target.backend, CountsRuns)
        for each in form.positions if isinstance(form, ListForm) and is_apart else (form,):
            found[each] = found.get(each, 0) + calls
    return found


def counts_known(form: Form, target: Target) -> bool:
    """Are they in the cache?"""
    if isinstance(form, CallForm):
        return is_known(form, target)
    return open_cache().get(_key(form, _request(form, target))) is not None


def count_on(form: Form, targets: Sequence[Target], known: Known | None = None) -> list[CountedCall]:
    """The counts of a call's kernels on several devices, from the cache where they are known."""
    if isinstance(form, CallForm):
        return counted_together(form, targets, known)
    return [_counted_list(form, target) for target in targets]


def _counted_list(form: ListForm, target: Target) -> CountedCall:
    request = _request(form, target)
    return open_cache().record(_key(form, request), COUNTED, partial(_count, form, request))


def _request(form: ListForm, target: Target) -> Request:
    """The operator over one run."""
    assert isinstance(target.backend, CountsRuns)
    instance = form.positions[0].request(target).instance
    return foreach_request(form.op, target, target.backend, instance.types, instance.attrs)


def _key(form: ListForm, request: Request) -> Key:
    parts = {**request.key("module").parts, "stage": "issued by runs", "lengths": str(form.lengths), "model": model_hash()}
    return Key(parts)


def _count(form: ListForm, request: Request) -> CountedCall:
    backend = request.target.backend
    assert isinstance(backend, CountsRuns)
    module = backend.foreach_module(module_of(request))
    if module is None:
        said = f"{form.op} has no kernel over many runs on {request.target.name}"
        raise UolError(said, hint="calls.toml says `together` of what uol.ops.foreach launches")
    launches = backend.issued_by_runs(module, chunk_sizes(form.lengths), request.target.device)
    return CountedCall(tuple(CountedKernel(each.name, "Map", each.schedule, each.issued) for each in launches))

"""The watch of `uol.enabled(check=True)`.

Of each call that is taken: its kernels by their contracts, its results and what it wrote beside PyTorch's function, and, when
the way back has come through it, the same of its kernels and of the gradient of each input. What one kernel made, and its
contract admits, is right where the contract admits PyTorch's value in float64, too: a sum in one order may be less exact than
PyTorch's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from uol.checking import MODE
from uol.conformance.accuracy.interval import Enclosure
from uol.conformance.shadow.beside import (
    AS_ASKED,
    CAST,
    LOW,
    PICKS,
    WIDE,
    Casting,
    Repeated,
    Slot,
    bounds_type,
    fault_beside,
    tensors_of,
)
from uol.conformance.shadow.contracts import is_admitted, judged
from uol.conformance.shadow.faults import Fault, error_of, shown, site_of_call
from uol.conformance.shadow.gradients import Cotangents, through_doors, unreached
from uol.pytorch.eager.casting import is_contraction
from uol.pytorch.eager.report import Report
from uol.pytorch.eager.watching import Asked, Compute
from uol.pytorch.fast_path import outside_modes
from uol.pytorch.launch_plan import Prepared

KERNELS = "kernels by contract"
RESULTS = "results beside PyTorch"
GRADIENTS = "gradients beside PyTorch"


@contextmanager
def judging(report: Report) -> Iterator[Judge]:
    """The judge of a block; within it, kernels are judged, too."""
    judge = Judge(report)
    with MODE.observed(judge.observe):
        yield judge


class _Now(threading.local):
    """The call that a thread is in, or whose way back it is on."""

    call: Judged | None = None


class Judge:
    """Counts what is right, and raises ContractError for the first thing that is not."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.now = _Now()

    def left(self, asked: Asked) -> Any:
        return asked.by_pytorch()

    def taken(self, asked: Asked, compute: Compute) -> Any:
        if torch._C._are_functorch_transforms_active():
            found = compute(asked.args, asked.named)
            self.report.unchecked[asked.name, "a transform of torch.func, which shows no values"] += 1
            return found
        call, outer = Judged(self, asked), self.now.call
        self.now.call = call
        try:
            found = compute(*call.entered(asked))
        finally:
            self.now.call = outer
        call.came(found)
        return found

    def observe(self, kernel: Prepared, inputs: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        """Judges a kernel of the call that this thread is in."""
        call = self.now.call
        if call is None or call.fault is not None:
            return
        with torch.no_grad(), outside_modes():
            verdict = judged(kernel, list(inputs), list(outs))
        call.fault = verdict.fault
        call.admitted.update(verdict.admitted)
        if verdict.without:
            self.report.unchecked[f"{kernel.asked.instance.op.name}'s kernel", verdict.without] += 1
        elif verdict.fault is None:
            self.report.checks[KERNELS] += 1


class Judged:
    """One call: the values that it was given, and what was found."""

    def __init__(self, judge: Judge, asked: Asked) -> None:
        self.judge = judge
        self.site, self.arguments = site_of_call(), shown(asked.args, asked.named)
        whole = (tuple(asked.args), dict(asked.named))
        self.given = {id(x): x for x in tree_leaves(whole) if isinstance(x, Tensor)}
        args, named = tree_map(lambda x: Slot(id(x)) if isinstance(x, Tensor) else x, whole)  # autograd's graph will hold this
        self.asked = Asked(asked.name, asked.function, args, named, asked.writes)
        with torch.no_grad(), outside_modes():
            self.values = {key: x.detach().clone() for key, x in self.given.items()}
        self.needs = {key for key, x in self.given.items() if x.requires_grad and torch.is_grad_enabled()}
        self.casting = _casting_of(asked.name, [*self.given.values()])
        self.fault: Fault | None = None
        self.admitted: dict[int, Enclosure] = {}
        self.cotangents: Cotangents | None = None
        self.doors: dict[int, Any] = {}
        self.gradients: dict[int, tuple[Mapping[int, Tensor] | None, Mapping[int, Tensor]]] = {}

    def entered(self, asked: Asked) -> tuple[Sequence[Any], dict[str, Any]]:
        """The arguments as the call is made with them."""
        if not self.needs:
            return asked.args, asked.named
        written = self._written()
        if written is not None and written.requires_grad and (written.is_leaf or written._is_view()):
            self._unchecked("the gradient of what is a view, and written over")
        (args, named), self.doors = through_doors((tuple(asked.args), dict(asked.named)), written, self.judge_gradient)
        return args, named

    def came(self, found: Any) -> None:
        """The call has its results. Raises ContractError for one that is beyond its bound."""
        self._raise_fault()
        results = tensors_of(found)
        with outside_modes():
            self._judge_results(results)
        if self.needs:
            self.cotangents = Cotangents(results, self._begin)
        else:
            self.values.clear()
        self.given.clear()
        self.doors.clear()
        self.admitted.clear()

    def judge_gradient(self, walk: int, key: int, dx: Tensor) -> None:
        """The cotangent of an input has come. Raises ContractError where it is beyond its bound."""
        self._raise_fault()
        if self.cotangents is None or not self.cotangents.of[walk]:
            return
        with outside_modes():
            if walk not in self.gradients:
                self.gradients.clear()  # of the walk before it
                own, exact = self._repeated(self.needs)
                slopes = self.cotangents.of[walk]
                of_exact = {} if exact is None else exact.gradients(slopes)
                self.gradients[walk] = (None if own is None else own.gradients(slopes), of_exact)
            own_gradients, exact_gradients = self.gradients[walk]
            if key not in exact_gradients:
                return
            theirs = None if own_gradients is None else own_gradients.get(key)
            self._require(f"the gradient of {self._argument(key)}", dx, theirs, exact_gradients[key], GRADIENTS)

    def _judge_results(self, results: Sequence[Tensor]) -> None:
        own, exact = self._repeated(self.needs)
        if exact is None:
            return
        for at, (y, golden) in enumerate(zip(results, exact.results, strict=True)):
            theirs = None if own is None else own.results[at]
            if not y.is_floating_point() and self.asked.name in PICKS:
                continue
            what = "the result" if len(results) == 1 else f"result {at}"
            self._require_form(what, y, golden if theirs is None else theirs)
            self._require(what, y, theirs, golden, RESULTS)
        self._require_ways_back(results, exact)
        given = {id(y) for y in results}
        for key, x in self.given.items():
            if key not in given and not self._is_as_it_was(key, x, exact):
                theirs = None if own is None else own.given[key]
                self._require(f"what is written over {self._argument(key)}", x, theirs, exact.given[key], RESULTS)

    def _require_ways_back(self, results: Sequence[Tensor], exact: Repeated) -> None:
        """Each input whose gradient is not zero in PyTorch has one here, too."""
        missing = unreached(results, self.doors) if self.doors and any(y.requires_grad for y in results) else []
        if not missing:
            return
        slopes = exact.gradients({at: torch.ones_like(y) for at, y in enumerate(exact.results) if y.is_floating_point()})
        for key in missing:
            if key in slopes and slopes[key].nan_to_num().count_nonzero():
                said = f"{self._argument(key)} has no gradient; PyTorch's has"
                raise error_of(said, self.asked.name, self.site, self.arguments)

    def _argument(self, key: int) -> str:
        return f"tensor {[*self.values].index(key)} of its arguments"

    def _is_as_it_was(self, key: int, x: Tensor, exact: Repeated) -> bool:
        was = self.values[key].nan_to_num()
        return all(torch.equal(now.detach().to(x.dtype).nan_to_num(), was) for now in (x, exact.given[key]))

    def _repeated(self, needs: Set[int]) -> tuple[Repeated | None, Repeated | None]:
        """The call repeated by PyTorch as it was asked for, and in float64; None where PyTorch has no such function."""
        narrow = CAST if self.casting.low is not None else AS_ASKED
        found: list[Repeated | None] = []
        for types in (narrow, WIDE):
            try:
                found.append(Repeated(self.asked, self.values, self.casting, types, needs))
            except (RuntimeError, TypeError, IndexError, ValueError) as error:
                found.append(None)
                if types is WIDE:
                    self._unchecked(f"PyTorch does not repeat it in float64: {str(error).splitlines()[0]}")
        return found[0], found[1]

    def _require_form(self, what: str, y: Tensor, theirs: Tensor) -> None:
        types = {theirs.dtype}
        if theirs.dtype is torch.float32:  # which such types were widened to
            types |= {x.dtype for x in self.values.values() if x.dtype in LOW}
        if y.shape != theirs.shape or y.dtype not in types or y.requires_grad != theirs.requires_grad:
            said = [f"{shown([each], {})}, {'with' if each.requires_grad else 'without'} a gradient" for each in (y, theirs)]
            raise error_of(f"{what} is {said[0]}; PyTorch's is {said[1]}", self.asked.name, self.site, self.arguments)

    def _require(self, what: str, found: Tensor, theirs: Tensor | None, exact: Tensor, counted: str) -> None:
        with torch.no_grad():
            kind = bounds_type(found, [*self.values.values()], self.casting)
            fault = fault_beside(what, found, theirs, exact, kind)
        of_kernel = self.admitted.get(found.data_ptr())
        if fault is not None and not (of_kernel is not None and is_admitted(exact, of_kernel)):
            raise error_of(fault, self.asked.name, self.site, self.arguments)
        self.judge.report.checks[counted] += 1

    def _written(self) -> Tensor | None:
        first = next(iter(self.given.values()), None)
        return first if self.asked.writes else None

    def _begin(self) -> None:
        """A walk through the graph has come to the call's results: kernels from here on are of its way back."""
        self.admitted.clear()
        self.judge.now.call = self

    def _raise_fault(self) -> None:
        if self.fault is not None:
            raise error_of(self.fault, self.asked.name, self.site, self.arguments)

    def _unchecked(self, why: str) -> None:
        self.judge.report.unchecked[self.asked.name, why] += 1


def _casting_of(name: str, tensors: Sequence[Tensor]) -> Casting:
    device_type = tensors[0].device.type
    is_cast = torch.is_autocast_enabled(device_type) and is_contraction(name)
    return Casting(device_type, torch.get_autocast_dtype(device_type) if is_cast else None)

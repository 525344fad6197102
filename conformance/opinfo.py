"""PyTorch's own samples (OpInfo) against our operators, at PyTorch's default tolerances, forward and gradient.

    python -m uol.conformance.opinfo [--op softmax,conv2d] [--dtype f32,f64,f16,bf16] [--device TYPE]

f32 and f64 are compared with PyTorch in the same type, gradients too, and f32 with f64 where that fails; where f32 does not
reach that tolerance, its error is compared with PyTorch's own, and the sample is counted as such. f16 and bf16 (forward, where
OpInfo names them for the CPU) are compared with PyTorch in f32 on the same values. A sample that our operator does not express
is counted, with the reason. Exit status 1 where one fails.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from itertools import islice
from typing import Any

import torch

from uol.backends.cache.records import Records
from uol.conformance.command import run_command
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.conformance.torch_samples import forms, layers
from uol.conformance.torch_samples.devices import device_of
from uol.conformance.torch_samples.forms import Form, NotExpressed
from uol.ir.errors import ShapeError, UolError
from uol.ir.types import is_float
from uol.operators.registry import find_operator
from uol.ops.variadic import VARIADIC
from uol.pytorch.schema import NAMES, TORCH_TYPES

DIFFERENTIATED = (torch.float32, torch.float64)
LOW = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
WIDER = {torch.float32: torch.float64}
FAMILIES = ("padded", "interpolated", "with_corners")
"""Forms whose operator has the number of axes at the end of its name."""
INTEGERS = ("i64", "i32", "i8")
RATIO = 5.0
"""The largest error beside a partner's, at level 1 of the dual benchmark of Huawei's operator standard."""
SHOWN = 5
"""Failures of one OpInfo that are printed; all are counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An OpInfo and our operator."""

    opinfo: str
    form: str
    op: str

    @property
    def function(self) -> Form:
        """The form as a function."""
        found: Form = getattr(forms, self.form, None) or getattr(layers, self.form)
        return found


@dataclass(slots=True)
class Tally:
    """What became of the samples of one OpInfo."""

    passed: int = 0
    rounded: int = 0  # of those: by their error beside PyTorch's own
    failed: list[str] = field(default_factory=list)
    not_expressed: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        rounded = f" ({self.rounded} by PyTorch's own error)" if self.rounded else ""
        return f"{self.passed:5} passed{rounded} {len(self.failed):4} failed {self.not_expressed.total():5} not expressed"


@cache
def entries() -> tuple[Entry, ...]:
    """The table."""
    table = tomllib.loads(files("uol.conformance").joinpath("opinfo.toml").read_text(encoding="utf-8"))
    return tuple(Entry(name, form, op) for form, names in table.items() for name, op in names.items())


def types_of(entry: Entry, dtypes: Sequence[str]) -> Sequence[str]:
    """The types in which an operator is compared: integers where its text admits no float."""
    op = None if entry.op in VARIADIC or entry.form in FAMILIES else find_operator(entry.op)
    floats = op is None or not op.domain or any(is_float(t) for t in op.domain[0].types)
    return dtypes if floats else INTEGERS


def check(entry: Entry, dtype: torch.dtype, most: int | None = None, device: str = "cpu") -> Tally:
    """All samples of an OpInfo in one type, or the first `most`, on a device of PyTorch's."""
    info, tally = infos()[entry.opinfo], Tally()
    device_type = torch.device(device).type
    if dtype not in info.supported_dtypes(device_type):
        return tally
    differentiated = dtype in DIFFERENTIATED and info.supports_autograd and dtype in info.supported_backward_dtypes(device_type)
    torch.manual_seed(0)
    samples = info.sample_inputs(device, dtype, requires_grad=differentiated)
    for number, sample in enumerate(islice(samples, most)):
        where = f"{entry.opinfo} {NAMES[dtype]} sample {number}"
        try:
            tally.rounded += compare(info, partial(entry.function, entry.op), sample, differentiated)
            tally.passed += 1
        except NotExpressed as reason:
            tally.not_expressed[str(reason)] += 1
        except ShapeError as refusal:  # the operator's text says for which sizes it is
            tally.not_expressed[f"{type(refusal).__name__}: {refusal.message}"] += 1
        except Exception as error:
            tally.failed.append(f"{where}: {sample.summary()}\n    {type(error).__name__}: {error}")
    return tally


@cache
def infos() -> Mapping[str, Any]:
    from torch.testing._internal.common_methods_invocations import op_db

    return {f"{info.name}/{info.variant_test_name}" if info.variant_test_name else info.name: info for info in op_db}


def compare(info: Any, ours: Callable[..., Any], sample: Any, differentiated: bool) -> bool:
    """Raises where a sample fails, on a function that takes its arguments. Returns whether PyTorch's own error decided."""
    arguments = (sample.input, *sample.args), dict(sample.kwargs)
    found = tensors_of(ours(*arguments[0], **arguments[1]))
    leaves = [x for x in _leaves(arguments) if x.requires_grad] if differentiated else []
    try:
        _require_close(found, info.op, _widened(arguments, LOW), leaves)
    except AssertionError:
        if not any(y.dtype is torch.float32 for y in found):
            raise
        # Where f32 loses digits in PyTorch as it does here, the two may differ by more: then the exact result decides, and
        # where even that is out of f32's reach, how far PyTorch itself is from it.
        exact = _widened(arguments, WIDER)
        try:
            _require_close(found, info.op, exact, leaves)
        except AssertionError:
            if not _as_exact_as(found, info.op, arguments, exact, leaves):
                raise
            return True
    return False


def _as_exact_as(found: Sequence[torch.Tensor], function: Any, plain: Any, exact: Any, leaves: Sequence[torch.Tensor]) -> bool:
    """Is the largest error of each result and gradient at most `RATIO` times PyTorch's?"""
    theirs, golden = (tensors_of(function(*given[0], **given[1]))[: len(found)] for given in (plain, exact))
    triples = list(zip(found, theirs, golden, strict=True))
    kept = [t for t in triples if t[1].requires_grad] if leaves else []
    if kept:
        cotangents = _cotangents([ours for ours, _, _ in kept])
        triples += zip(*(_gradients(list(results), leaves, cotangents) for results in zip(*kept, strict=True)), strict=True)
    return all(_error(ours, wanted) <= RATIO * _error(other, wanted) for ours, other, wanted in triples)


def _error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    if not wanted.numel():
        return 0.0
    found, wanted = found.detach().double(), wanted.detach().double()
    difference = float((found - wanted).abs().max())
    return difference if math.isnan(difference) else max(difference, float(wanted.abs().max()) * 2.0**-24)  # half an ulp


def _require_close(found: Sequence[torch.Tensor], function: Any, arguments: Any, leaves: Sequence[torch.Tensor]) -> None:
    expected = tensors_of(function(*arguments[0], **arguments[1]))[: len(found)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs.to(ours.dtype), equal_nan=True)
    pairs = [(ours, theirs) for ours, theirs in zip(found, expected, strict=True) if theirs.requires_grad]
    if pairs and leaves:
        cotangents = _cotangents([ours for ours, _ in pairs])
        wanted = _gradients([t for _, t in pairs], leaves, cotangents)
        given = _gradients([o for o, _ in pairs], leaves, cotangents)
        for a, b in zip(given, wanted, strict=True):
            torch.testing.assert_close(a, b, equal_nan=True)


def _cotangents(results: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(y.shape, generator=generator, dtype=torch.float32) for y in results]


def _gradients(results: Any, leaves: Any, cotangents: Any) -> list[torch.Tensor]:
    typed = [c.to(y) for c, y in zip(cotangents, results, strict=True)]
    found = torch.autograd.grad(results, leaves, typed, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)]


def tensors_of(result: Any) -> tuple[torch.Tensor, ...]:
    return (result,) if isinstance(result, torch.Tensor) else tuple(result)


def _leaves(tree: Any) -> list[torch.Tensor]:
    return [x for x in torch.utils._pytree.tree_leaves(tree) if isinstance(x, torch.Tensor)]


def _widened(tree: Any, types: Mapping[torch.dtype, torch.dtype]) -> Any:
    """Tensors of some types, and those types, as wider ones. A gradient goes through."""

    def wide(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return x.to(types[x.dtype]) if x.dtype in types else x
        return types.get(x, x) if isinstance(x, torch.dtype) else x

    return torch.utils._pytree.tree_map(wide, tree)


@dataclass(frozen=True, slots=True)
class Sampled:
    """A tally of an entry, as it is kept."""

    entry: Entry
    passed: int
    rounded: int
    failed: tuple[str, ...]
    not_expressed: Mapping[str, int]

    @property
    def tally(self) -> Tally:
        return Tally(self.passed, self.rounded, list(self.failed), Counter(self.not_expressed))


def _sampled(dtypes: Sequence[str], device: str, chosen: Sequence[Entry]) -> list[Sampled]:
    found = []
    for entry in chosen:
        tally = Tally()
        for dtype in types_of(entry, dtypes):
            _add(tally, check(entry, TORCH_TYPES[dtype], device=device))
        found.append(Sampled(entry, tally.passed, tally.rounded, tuple(tally.failed), dict(tally.not_expressed)))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.opinfo", description=__doc__)
    parser.add_argument("--op", help="names of OpInfo or of our operators, by commas; all else")
    parser.add_argument("--dtype", default="f32,f64,f16,bf16", help="types, by commas")
    parser.add_argument("--device", default="cpu", help="PyTorch's device on which both are computed")
    add_run_options(parser)
    options = parser.parse_args(arguments)
    chosen = None if options.op is None else options.op.split(",")
    known, device = {name for entry in entries() for name in (entry.opinfo, entry.op)}, device_of(options.device)
    if strangers := sorted({*(chosen or ())} - known):
        hint = f"opinfo.toml has {', '.join(sorted(known))}"
        raise UolError(f"there are no samples of {', '.join(strangers)}", hint=hint)
    whole, operators = Tally(), set()
    run = partial(_sampled, options.dtype.split(","), device)
    steps: Steps[Entry, Sampled] = Steps(f"opinfo {options.dtype} {device}", Records(Sampled), repr, run)
    items = [entry for entry in entries() if chosen is None or {entry.opinfo, entry.op} & {*chosen}]
    for each in results_of(steps, items, options):
        entry, tally = each.entry, each.tally
        print(f"{entry.opinfo:45} {entry.op:33} {tally}", flush=True)
        for failure in tally.failed[:SHOWN]:
            print(f"  failed: {failure}", flush=True)
        if len(tally.failed) > SHOWN:
            print(f"  failed: {len(tally.failed) - SHOWN} more", flush=True)
        for reason, count in tally.not_expressed.most_common():
            print(f"  not expressed, {count}: {reason}", flush=True)
        _add(whole, tally)
        if tally.passed:
            operators.add(entry.op)
    print(f"{f'{len(operators)} operators':79} {whole}")
    return 0 if whole.passed and not whole.failed else 1


def _add(total: Tally, more: Tally) -> None:
    total.passed += more.passed
    total.rounded += more.rounded
    total.failed += more.failed
    total.not_expressed += more.not_expressed


if __name__ == "__main__":
    run_command(main)

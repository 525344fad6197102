"""`uol.enabled`: the operators of an unmodified model, taken as PyTorch is asked for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch._C import _are_functorch_transforms_active as transforms_are_active
from torch._C import _get_tracing_state as trace_of_jit
from torch.overrides import TorchFunctionMode

from uol.ir.errors import ContractError, UolError
from uol.pytorch.devices import backend_for
from uol.pytorch.eager.bodies import body_of
from uol.pytorch.eager.casting import OWN_RULE, casting_of
from uol.pytorch.eager.faces import DRAWN, Face, faces
from uol.pytorch.eager.report import Report
from uol.pytorch.eager.watching import Asked, Watch
from uol.pytorch.eager.writing import overwrite
from uol.pytorch.fast_path import PLAIN

SILENT = ("__get__", "requires_grad_", "detach_", "share_memory_", "rename_")
"""What computes no values: properties, such as `x.grad`, and methods that end as those which write do."""
JUDGE = "uol.conformance.shadow.judge"
"""Loaded where a check is asked for, and not before."""


class Enabled(TorchFunctionMode):
    """On the stack of one thread. Within a call it is off, as PyTorch has it, so that nothing is taken twice."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []
        self.entered: list[Any] = []
        self.watches: list[Watch] = []

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> Any:
        named = kwargs or {}
        if torch.compiler.is_compiling() or trace_of_jit() is not None:  # a trace is PyTorch's, operators and all
            return func(*args, **named)
        face = faces().get(func)
        if face is None or not face.is_asked(args, named):
            return self._without_face(func, args, named)
        tensors = _tensors(args, named)
        if not tensors or any(x.is_meta for x in tensors):
            return func(*args, **named)
        why = _why_left(tensors, named)
        if why is None:
            try:
                found = self._taken(face, tensors[0].device.type, func, args, named)
            except ContractError:
                raise
            except UolError as refusal:
                why = refusal.message
            else:
                for report in self.reports:
                    report.taken[face.name] += 1
                return found
        self._note(face.name, why)
        return self._left(face.name, func, args, named)

    def _taken(self, face: Face, device_type: str, func: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        if not self.watches:
            return call_of(face, device_type, *face.arguments(args, named))

        def compute(given: Sequence[Any], options: dict[str, Any]) -> Any:
            return call_of(face, device_type, *face.arguments(given, options))

        writes = face.writes or named.get("inplace") is True
        return self.watches[-1].taken(Asked(face.name, func, args, named, writes), compute)

    def _left(self, name: str, func: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        return self.watches[-1].left(Asked(name, func, args, named)) if self.watches else func(*args, **named)

    def _without_face(self, func: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        body = body_of(func)
        if body is not None and func not in self.entered:  # some call what is written in C, and bears their name
            self.entered.append(func)
            try:
                with self:
                    return body(*args, **named)
            finally:
                self.entered.pop()
        name = getattr(func, "__name__", "")
        found = self._left(name, func, args, named)
        if computes(name, args, named, found):
            self._note(name, "draws from PyTorch's random numbers" if name in DRAWN else "no row in ops/signatures")
        return found

    def _note(self, name: str, why: str) -> None:
        for report in self.reports:
            report.left[name, why] += 1


def _tensors(args: Sequence[Any], named: dict[str, Any]) -> list[Tensor]:
    """The tensors among the arguments, and in lists among them."""
    parts = [x if type(x) in (list, tuple) else (x,) for x in (*args, *named.values())]
    return [x for part in parts for x in part if isinstance(x, Tensor)]


def _why_left(tensors: Sequence[Tensor], named: dict[str, Any]) -> str | None:
    if named.get("out") is not None:
        return "out= is given"
    if any(type(x) not in PLAIN for x in tensors):
        return "a subclass of Tensor"
    return next((f"no backend for {x.device.type}" for x in tensors if backend_for(x.device.type) is None), None)


def call_of(face: Face, device_type: str, given: Sequence[Any], options: dict[str, Any]) -> Any:
    """The result of a call, computed by `uol.ops`. Raises UolError where it stays PyTorch's; nothing has been written then."""
    writes = face.writes or options.get("inplace") is True
    if writes:
        options = {name: value for name, value in options.items() if name != "inplace"}
    if not torch.is_autocast_enabled(device_type):
        return overwrite(face.function, face.name, given, options) if writes else face.function(*given, **options)
    casting = casting_of(face.name, device_type)
    if casting is None:
        raise UolError(OWN_RULE)
    with casting:
        return overwrite(face.function, face.name, given, options) if writes else face.function(*given, **options)


def result_of(face: Face, args: Sequence[Any], named: dict[str, Any]) -> Any:
    """The result of a call as PyTorch takes its arguments. Raises UolError where it stays PyTorch's."""
    device_type = _tensors(args, named)[0].device.type
    return call_of(face, device_type, *face.arguments(args, named))


def why_left(args: Sequence[Any], named: dict[str, Any]) -> str | None:
    """Why a call stays PyTorch's, whatever its function; None where it need not. While PyTorch traces, all does."""
    if torch.compiler.is_compiling() or trace_of_jit() is not None:
        return "a trace"
    tensors = _tensors(args, named)
    return _why_left(tensors, named) if tensors and not any(x.is_meta for x in tensors) else "no tensor with values"


def computes(name: str, args: Sequence[Any], named: dict[str, Any], found: Any) -> bool:
    """Did a function of tensors write over one, or give a tensor with memory of its own?"""
    read = _tensors(args, named)
    if not read or name in SILENT:
        return False
    if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")):
        return True
    made = _tensors((found,), {})
    if transforms_are_active() or any(map(_has_no_memory, (*read, *made))):
        return bool(made)
    known = {x.untyped_storage().data_ptr() for x in read}
    return any(x.numel() and x.untyped_storage().data_ptr() not in known for x in made)


def _has_no_memory(x: Tensor) -> bool:
    """May one not ask where the tensor lies?"""
    return x.layout is not torch.strided or x.is_meta or type(x) not in PLAIN


class _Thread(threading.local):
    mode: Enabled | None = None


_THREAD = _Thread()


@contextmanager
def enabled(check: bool = False) -> Iterator[Report]:
    """Within it, calls of PyTorch's functions, methods and operators that have a row in `ops/signatures` are computed by
    `uol.ops`, forward and backward; what is refused stays PyTorch's. Gives the report, which counts both.

    It holds for the thread that entered it. Blocks may stand in each other: what is called in the inner one is in both reports.
    Under `torch.autocast`, results have PyTorch's types: what PyTorch casts by a rule of its own stays PyTorch's.

    `check=True` judges each call that is taken: every kernel by the accuracy contract of its operator, every result and every
    gradient beside PyTorch's function in float64. The first one beyond what is admitted raises ContractError, which names the
    operator, the line that called it, and the worst element. `backward` belongs within the block, too. It is slow, holds a
    copy of what is called with until its gradient has come, and is meant for finding a mistake.

    >>> layer = torch.nn.Linear(3, 2)
    >>> with enabled() as report:
    ...     y = layer(torch.ones(4, 3)).relu()
    >>> print(report)
    2 calls by uol, 0 by PyTorch
      taken: 1 x linear, 1 x relu
    """
    report = Report()
    with ExitStack() as stack:
        if check:
            stack.enter_context(watched_by(stack.enter_context(import_module(JUDGE).judging(report))))
        mode = stack.enter_context(_mode_of_this_thread())
        mode.reports.append(report)
        stack.callback(mode.reports.pop)
        yield report


@contextmanager
def watched_by(watch: Watch) -> Iterator[None]:
    """Within it, calls in blocks of `enabled` in this thread are made by the watch."""
    with _mode_of_this_thread() as mode:
        mode.watches.append(watch)
        try:
            yield
        finally:
            mode.watches.pop()


@contextmanager
def _mode_of_this_thread() -> Iterator[Enabled]:
    """The one on the stack, or a new one."""
    if _THREAD.mode is not None:
        yield _THREAD.mode
        return
    mode = _THREAD.mode = Enabled()
    try:
        with mode:
            yield mode
    finally:
        _THREAD.mode = None

"""Streams and workspaces of a loaded operator, on a driver that takes notes."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from simt_cases import Case, module_of

import uol
from uol.backends.abi.interface import workspace_layout
from uol.backends.cpu.runtime.workspace import WorkspacePool
from uol.backends.loading.loaded import DeviceOperator, as_loaded
from uol.checking import with_checks
from uol.codegen.backend import Module
from uol.ir.errors import ShapeError

LINEAR = Case("linear", {"S": 33, "N": 65, "K": 17}, "f16", rank=1)
"""On the target below it has a buffer between two kernels."""
TARGET = "ascendc"
ARGUMENTS = (4096, 8192, 12288, 16384)


@dataclass
class StubMemory:
    """Device memory that is only counted: addresses are handed out, 256 bytes apart at least."""

    held: dict[int, int] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    next: int = 1 << 20

    where = "stub device 0"
    index = 0

    def activate(self) -> None: ...

    def restore(self, before: int) -> None: ...

    def allocate(self, size_bytes: int) -> int:
        address = self.next
        self.next += -(-size_bytes // 256) * 256
        self.held[address] = size_bytes
        return address

    def free(self, address: int) -> None:
        del self.held[address]
        self.calls.append(("free", address))

    def to_device_on(self, address: int, host: int, size_bytes: int, stream: int) -> None:
        self.calls.append(("to_device", address))

    def to_host(self, host: int, address: int, size_bytes: int) -> None:
        self.calls.append(("to_host", address))

    def synchronise(self, stream: int) -> None:
        self.calls.append(("synchronise", stream))


@dataclass
class Enqueued:
    """What was enqueued: (stream, workspace), in order."""

    calls: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, addresses: Sequence[int], scalars: Sequence[object], workspace: int, stream: int) -> None:
        self.calls.append((stream, workspace))


@pytest.fixture(scope="module")
def module() -> Module:
    return module_of(LINEAR, TARGET)


@pytest.fixture
def memory() -> StubMemory:
    return StubMemory()


def test_two_streams_have_two_workspaces(module: Module, memory: StubMemory) -> None:
    enqueued = Enqueued()
    call = DeviceOperator(module.graph, memory, enqueued)
    assert call.workspace_bytes == workspace_layout(module.graph).bytes > 0
    for stream in (1, 2, 1):
        call(*ARGUMENTS, stream=stream)
    (first, one), (second, two), again = enqueued.calls
    assert (first, second, again) == (1, 2, (1, one))
    assert abs(one - two) >= call.workspace_bytes
    assert [memory.held[w] for w in (one, two)] == [call.workspace_bytes] * 2
    assert not memory.calls  # nothing is copied or waited for


def test_workspaces_are_freed_when_their_streams_are_through(module: Module, memory: StubMemory) -> None:
    call = DeviceOperator(module.graph, memory, Enqueued())
    for stream in (1, 2):
        call(*ARGUMENTS, stream=stream)
    held = list(memory.held)
    call.release()
    assert not memory.held
    assert sorted(memory.calls[::2]) == [("synchronise", 1), ("synchronise", 2)]
    assert sorted(memory.calls[1::2]) == [("free", address) for address in held]
    call(*ARGUMENTS, stream=1)
    assert len(memory.held) == 1
    del call
    gc.collect()
    assert not memory.held


def test_a_workspace_may_be_the_callers(module: Module, memory: StubMemory) -> None:
    enqueued = Enqueued()
    call = DeviceOperator(module.graph, memory, enqueued)
    call(*ARGUMENTS, stream=1, workspace=512)
    call(*ARGUMENTS, stream=2, workspace=1 << 16)
    assert enqueued.calls == [(1, 512), (2, 1 << 16)]
    assert not memory.held
    with pytest.raises(ShapeError, match="the workspace is not aligned to 512 bytes"):
        call(*ARGUMENTS, workspace=520)
    with pytest.raises(ShapeError, match="a workspace is device memory, not a list"):
        call(*ARGUMENTS, workspace=[0])
    assert len(enqueued.calls) == 2


def test_host_arrays_are_staged_around_the_stream_of_the_call(module: Module, memory: StubMemory) -> None:
    call = DeviceOperator(module.graph, memory, Enqueued())
    arrays = [np.zeros(shape, np.float16) for shape in ((33, 17), (65, 17), (65,), (33, 65))]
    call(*arrays, stream=7)
    kinds = [kind for kind, _ in memory.calls]
    assert kinds == ["to_device"] * 4 + ["synchronise", "to_host"] + ["free"] * 4
    assert memory.calls[4] == ("synchronise", 7)
    assert list(memory.held.values()) == [call.workspace_bytes]  # what was staged is freed


POOLED = """
op pooled_product(x: T[N, K], w: T[M, K]) -> (y: T[M]) for T in (f32, f16) {
  h[n, m] = T(sum[k](acc(x[n, k]) * acc(w[m, k])))
  y[m] = T(sum[n](acc(h[n, m])))
}"""


@pytest.mark.parametrize("dims", [{"N": 64, "K": 40, "M": 8}, {"K": 40, "M": 8}])
def test_the_cpu_takes_a_stream_and_a_workspace(dims: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = uol.compile(uol.op(POOLED), dims=dims)
    assert kernel.module.graph.workspaces
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal(shape, np.float32) for shape in ((64, 40), (8, 40))]
    sizes = [64] * len(kernel.module.graph.dims)
    layout = workspace_layout(kernel.module.graph) if not sizes else None
    assert kernel.loaded.workspace_bytes == (layout.bytes if layout else 0)
    assert uol.compile("relu", dims={"S": 3}).loaded.workspace_bytes == 0
    given, own = np.zeros((2, 8), np.float32)
    kernel.loaded(*inputs, own, *sizes, stream=3)
    assert own.any()
    room = np.zeros(1 << 16, np.uint8)
    start = -room.ctypes.data % 256
    monkeypatch.setattr(WorkspacePool, "take", lambda pool, size: pytest.fail("it took a workspace of its own"))
    kernel.loaded(*inputs, given, *sizes, workspace=room[start:])
    assert np.array_equal(given, own)
    assert room.any()
    with pytest.raises(ShapeError, match="not aligned"):
        kernel.loaded(*inputs, given, *sizes, workspace=room[start + 8 :])


def test_checked_mode_passes_the_stream_and_the_workspace_on() -> None:
    kernel = uol.compile("relu", dims={"S": 3})
    seen: dict[str, object] = {}
    noted = as_loaded(lambda *values, **launch: seen.update(launch), 0)
    checked = with_checks(noted, kernel.request, kernel.module.graph)
    x, y = np.ones(3, np.float32), np.zeros(3, np.float32)
    with uol.checked():
        checked(x, y, stream=5, workspace=256)
    assert seen == {"stream": 5, "workspace": 256}


def test_checked_mode_cannot_read_a_bare_address() -> None:
    kernel = uol.compile("embedding", dims={"S": 3, "N": 4, "D": 2})
    with uol.checked(), pytest.raises(ShapeError, match="checked mode reads values, which 'int' does not show"):
        kernel.loaded(4096, 8192, 12288)

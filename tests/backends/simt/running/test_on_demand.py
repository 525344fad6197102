"""Operators of any size are built kernel by kernel, when the first call comes that takes one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from stub_operators import VENDORS, Elsewhere, Vendor, launches_of, new_stream

import uol
from uol.backends import registry
from uol.backends.cache.files import DiskCache
from uol.backends.cuda import nvrtc
from uol.backends.simt.running import loading
from uol.backends.simt.running.driver_device import device_of
from uol.backends.stub_driver.loading import artifact_for
from uol.backends.stub_driver.stub import Stub
from uol.codegen.backend import Artifact, Kernel, Module
from uol.codegen.extensions import OnDemandBackend
from uol.compilation import pipeline
from uol.ir.errors import DeviceError, ToolchainError

X, Y = Elsewhere(0x100000), Elsewhere(0x200000)
TARGETS = ("cuda", "hip")


@pytest.fixture(params=TARGETS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


def backend_of(target: str) -> OnDemandBackend:
    backend = registry.get(target)
    assert isinstance(backend, OnDemandBackend)
    return backend


def softmax_of_any_size(target: str) -> Module:
    return uol.compile("softmax", target, "f32", {"S": None, "C": None}).module


class Compiler:
    """What builds kernels, and remembers which."""

    def __init__(self, vendor: Vendor, module: Module) -> None:
        self.vendor, self.module, self.built = vendor, module, list[str]()

    def __call__(self, kernel: Kernel) -> Artifact:
        self.built.append(kernel.name)
        return artifact_for(backend_of(self.vendor.target).module_of_kernel(self.module, kernel), self.vendor.architecture)


def on_demand(stub: Stub, vendor: Vendor, module: Module, built: Callable[[Kernel], Artifact]) -> Any:
    stub.tell(module.kernels)
    return loading.load_on_demand(module, device_of(stub.source(vendor.source), 0), built)


def test_a_call_builds_the_kernel_that_it_takes_and_no_other(stub: Stub, vendor: Vendor) -> None:
    module = softmax_of_any_size(vendor.target)
    compiler = Compiler(vendor, module)
    call = on_demand(stub, vendor, module, compiler)
    assert len(module.kernels) > 10 and compiler.built == []
    for rows, columns in ((7, 132), (9, 132), (7, 132), (7, 133), (9, 133), (0, 132)):
        call(X, Y, rows, columns)
    short, by_one = "softmax_short_by_4_kernel", "softmax_short_kernel"
    assert compiler.built == [short, by_one]
    assert [each["name"] for each in launches_of(stub, vendor)] == [short, short, short, by_one, by_one]
    assert [each["arguments"][2:] for each in launches_of(stub, vendor)] == [[7, 132], [9, 132], [7, 132], [7, 133], [9, 133]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4096, 1024), (3, 70_000), (100_000, 4)])
def test_a_kernel_s_module_has_its_text_and_that_of_no_other(target: str, rows: int, columns: int) -> None:
    module, backend = softmax_of_any_size(target), backend_of(target)
    (kernel,) = (each for each in module.kernels if 0 not in each.launch.blocks({"S": rows, "C": columns}))
    alone = backend.module_of_kernel(module, kernel)
    assert alone.kernels == (kernel,) and alone.host == module.host and alone.graph == module.graph
    assert alone.device.text.count("__global__") == 1 and kernel.text in alone.device.text


def test_what_a_build_or_the_driver_refuses_the_next_call_tries_again(stub: Stub, vendor: Vendor) -> None:
    module = softmax_of_any_size(vendor.target)
    compiler = Compiler(vendor, module)
    is_broken = True

    def built(kernel: Kernel) -> Artifact:
        if is_broken:
            raise ToolchainError("the compiler is away")
        return compiler(kernel)

    call = on_demand(stub, vendor, module, built)
    with pytest.raises(ToolchainError, match="the compiler is away"):
        call(X, Y, 7, 132)
    is_broken = False
    stub.fail(module_load(vendor), 2)
    with pytest.raises(DeviceError, match="out of memory"):
        call(X, Y, 7, 132)
    call(X, Y, 7, 132)
    assert len(launches_of(stub, vendor)) == 1


def module_load(vendor: Vendor) -> str:
    return vendor.source.names.load_module


def test_threads_that_call_at_once_launch_the_same_kernel(stub: Stub, vendor: Vendor) -> None:
    module = softmax_of_any_size(vendor.target)
    call, count = on_demand(stub, vendor, module, Compiler(vendor, module)), 8
    begin = Barrier(count)
    errors: list[Exception] = []

    def work(number: int) -> None:
        begin.wait(10)
        try:
            for columns in (132, 133, 40, 2000):
                call(X, Y, number + 1, columns)
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    launched = launches_of(stub, vendor)
    assert not errors and len(launched) == 4 * count
    for columns in (132, 133, 40, 2000):
        assert len({each["name"] for each in launched if each["arguments"][3] == columns}) == 1


def test_while_a_stream_is_captured_nothing_is_built(stub: Stub, vendor: Vendor) -> None:
    module = softmax_of_any_size(vendor.target)
    compiler = Compiler(vendor, module)
    call = on_demand(stub, vendor, module, compiler)
    call(X, Y, 7, 132)
    stream = new_stream_of(stub, vendor)
    assert getattr(stub.library, vendor.begin)(ctypes.c_void_p(stream), 0) == 0
    message = r"softmax: softmax_short_kernel for S = 7, C = 133 would be built while the stream is captured"
    with pytest.raises(DeviceError, match=message) as caught:
        call(X, Y, 7, 133, stream=stream)
    assert "call it once with these sizes before the capture" in str(caught.value)
    assert compiler.built == ["softmax_short_by_4_kernel"]
    call(X, Y, 900, 132, stream=stream)  # another size, of a kernel that is there
    call.at(901, 132, stream=stream)(X, Y, stream=stream)
    graph = ctypes.c_void_p()
    assert getattr(stub.library, vendor.end)(ctypes.c_void_p(stream), ctypes.byref(graph)) == 0
    call(X, Y, 7, 133, stream=stream)
    assert [each["stream"] for each in launches_of(stub, vendor)] == [0, stream, stream, stream]


def new_stream_of(stub: Stub, vendor: Vendor) -> int:
    device_of(stub.source(vendor.source), 0).activate()
    return new_stream(stub, vendor)


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, so nothing is built")
def test_each_kernel_is_kept_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process, or a second operator of the same request, finds what a call has built; no other kernel of it."""
    compiled = uol.compile("relu", "cuda", "f16", {"S": (None,)})
    first, second = compiled.module.kernels
    backend, cache, asked = registry.get("cuda"), DiskCache(tmp_path), list[str]()
    build = type(backend).build

    def counted(self: Any, module: Module) -> Artifact:
        asked.extend(kernel.name for kernel in module.kernels)
        return build(self, module)

    monkeypatch.setattr(type(backend), "build", counted)
    one = pipeline.kernels_on_demand(compiled.request, compiled.module, cache)(first)
    again = pipeline.kernels_on_demand(compiled.request, compiled.module, cache)(first)
    other = pipeline.kernels_on_demand(compiled.request, compiled.module, cache)(second)
    assert asked == [first.name, second.name]
    assert again.binary == one.binary != other.binary
    assert first.name.encode() in one.binary and second.name.encode() not in one.binary


@pytest.mark.parametrize("target", TARGETS)
def test_a_compiled_operator_of_any_size_builds_nothing_when_it_is_loaded(
    target: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `uol.compile` gives and PyTorch's operators run. One of a size has all its kernels built."""
    vendor, built = VENDORS[target], list[str]()
    backend: Any = registry.get(target)

    def build(module: Module) -> Artifact:
        built.extend(kernel.name for kernel in module.kernels)
        return artifact_for(module, vendor.architecture)

    monkeypatch.setattr(backend, "build", build, raising=False)
    monkeypatch.setattr(backend, "driver", stub.source(vendor.source))
    monkeypatch.setattr(pipeline.Dump, "is_on", staticmethod(lambda: True))  # nothing of this comes to the cache
    monkeypatch.setattr(pipeline.Dump, "of", staticmethod(lambda request: pipeline.Dump(None)))
    compiled = uol.compile("softmax", target, "f32", {"S": None, "C": None})
    loaded = compiled.loaded_on(0)
    assert built == []
    loaded(X, Y, 7, 132)
    assert built == ["softmax_short_by_4_kernel"]

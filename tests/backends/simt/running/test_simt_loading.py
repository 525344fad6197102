"""Operators on a driver of no card: what each call says to it, and what becomes of its errors."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import torch
from stub_operators import (
    VENDORS,
    Elsewhere,
    Vendor,
    launches_of,
    loaded,
    module_of_text,
    new_stream,
    with_shared,
)

import uol
from uol.backends import registry
from uol.backends.abi.interface import workspace_layout
from uol.backends.loading import ranges
from uol.backends.simt.running.driver_device import device_of
from uol.backends.stub_driver import images
from uol.backends.stub_driver.loading import artifact_for, load_artifact
from uol.backends.stub_driver.stub import Stub
from uol.ir.errors import DeviceError, ResourceError, ShapeError, ToolchainError, UolError

X, W, Y = Elsewhere(0x100000), Elsewhere(0x200000), Elsewhere(0x300000)
FLAT = (X.address, W.address, Y.address)
WORKSPACE = 0x400000
OUT_OF_MEMORY, LAUNCH_FAILED, CAPTURING = 2, 719, 900


@pytest.fixture(params=["cuda", "hip"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads are switched as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def f32_bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def test_every_launch_has_the_stream_and_its_own_arguments(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stream = new_stream(stub, vendor)
    call(X, W, Y, 0.75, stream=stream, workspace=WORKSPACE)
    layout = workspace_layout(call.graph)
    h, g = (WORKSPACE + layout.offsets[name] for name in ("h", "g"))
    x, w, y = FLAT
    found = launches_of(stub, vendor)
    assert [each["name"] for each in found] == [
        "three_products_h_kernel",
        "three_products_g_kernel",
        "three_products_y_sum_kernel",
    ]
    assert [each["arguments"] for each in found] == [[x, w, h], [w, h, g], [w, y, g, f32_bits(0.75)]]
    assert {(each["stream"], each["status"]) for each in found} == {(stream, 0)}
    assert [each["shared"] for each in found] == [k.launch.shared_bytes for k in module_of_text(vendor.target).kernels]
    assert [each["grid"] for each in found] == [list(k.launch.grid) for k in module_of_text(vendor.target).kernels]
    assert [each["block"] for each in found] == [list(k.launch.block) for k in module_of_text(vendor.target).kernels]
    assert h != g and {h % 256, g % 256} == {0}


def test_addresses_and_arrays_that_say_theirs_are_taken_too(stub: Stub, vendor: Vendor) -> None:
    class Interfaced:
        __cuda_array_interface__ = {"data": (W.address, False)}

    call = loaded(stub, vendor)
    call(X.address, Interfaced(), Y, 1.0, workspace=Elsewhere(WORKSPACE))
    assert launches_of(stub, vendor)[0]["arguments"][:2] == [X.address, W.address]


@pytest.mark.parametrize(
    ("value", "held"),
    [(1, 1.0), (np.float32(0.5), 0.5), (np.int64(3), 3.0), (1e39, float("inf")), (-1e39, float("-inf")), (2**70, 2.0**70)],
)
def test_a_number_is_what_its_type_holds(stub: Stub, vendor: Vendor, value: Any, held: float) -> None:
    call = loaded(stub, vendor)
    call(X, W, Y, value, workspace=WORKSPACE)
    assert launches_of(stub, vendor)[-1]["arguments"][-1] == f32_bits(held)


@pytest.mark.parametrize(("value", "held"), [(7, 7), (7.9, 7), (np.int64(2**53 + 1), 2**53 + 1), (-1, 2**64 - 1)])
def test_a_whole_number_is_64_bits(stub: Stub, vendor: Vendor, value: Any, held: int) -> None:
    module = uol.compile("dropout", vendor.target, "f32", {"S": (64,)}, {"seed": 3}).module
    call = loaded(stub, vendor, artifact_for(module, vendor.architecture))
    call(X, Y, value, 0.5)
    assert held in launches_of(stub, vendor)[0]["arguments"]


def test_devices_have_their_own_modules_and_what_was_current_is_so_again(stub: Stub, vendor: Vendor) -> None:
    first, second = loaded(stub, vendor, index=0), loaded(stub, vendor, index=1)
    device_of(stub.source(vendor.source), 0).activate()
    stub.clear()
    second(*(replace(each, index=1) for each in (X, W, Y)), 1.0, workspace=WORKSPACE)
    first(X, W, Y, 1.0, workspace=WORKSPACE)
    made_current = [each["device"] for each in stub.records(vendor.context)]
    launched = [each["device"] for each in launches_of(stub, vendor)]
    assert (made_current, launched) == ([1, 0], [1, 1, 1, 0, 0, 0])
    assert all(each["status"] == 0 for each in stub.records())


def test_a_call_on_the_current_stream_asks_for_it_each_time(stub: Stub, vendor: Vendor) -> None:
    module = uol.compile("relu", vendor.target, "f32", {"S": (64,)}).module
    operator = loaded(stub, vendor, artifact_for(module, vendor.architecture), index=1)
    device_of(stub.source(vendor.source), 1).activate()
    streams = [new_stream(stub, vendor) for _ in range(2)]
    current = iter([(1, streams[0]), (1, streams[1])])

    def stream_of(index: int) -> int:
        expected, stream = next(current)
        assert index == expected
        return stream

    call = operator.on_current(stream_of)
    device_of(stub.source(vendor.source), 0).activate()
    stub.clear()
    tensors = [replace(each, index=1) for each in (X, Y)]
    stub.fail(vendor.launch, LAUNCH_FAILED)
    with pytest.raises(DeviceError, match="the launch of relu"):
        call(*tensors)
    call(*tensors)
    found = launches_of(stub, vendor)
    assert [(each["stream"], each["device"], each["arguments"]) for each in found] == [
        (stream, 1, [X.address, Y.address]) for stream in streams
    ]
    assert [each["device"] for each in stub.records(vendor.context)] == [1, 0, 1, 0]
    other = Thread(target=lambda: operator(*tensors))  # the turn was given up
    other.start()
    other.join(10)
    assert not other.is_alive()


def test_a_thread_that_has_no_device_gets_it(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor, index=1)
    tensors = [replace(each, index=1) for each in (X, W, Y)]
    thread = Thread(target=lambda: call(*tensors, 1.0, workspace=WORKSPACE))
    thread.start()
    thread.join()
    assert [each["status"] for each in launches_of(stub, vendor)] == [0, 0, 0]


def test_threads_take_turns(stub: Stub, vendor: Vendor, restless: None) -> None:
    call = loaded(stub, vendor)
    streams = [new_stream(stub, vendor) for _ in range(4)]
    together = Barrier(4)

    def run(number: int) -> None:
        tensors = [Elsewhere(each.address + 0x1000 * number) for each in (X, W, Y)]
        together.wait()
        for _ in range(300):
            call(*tensors, float(number), stream=streams[number], workspace=WORKSPACE + 0x10000 * number)

    threads = [Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = launches_of(stub, vendor)
    assert [each["name"] for each in found] == [k.name for k in module_of_text(vendor.target).kernels] * 1200
    for each in found[2::3]:
        number = streams.index(each["stream"])
        w, y, _, scale = each["arguments"]
        assert (w, y, scale) == (W.address + 0x1000 * number, Y.address + 0x1000 * number, f32_bits(number))


def test_streams_share_no_workspace(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    streams = [new_stream(stub, vendor) for _ in range(2)]
    for stream in (*streams, streams[0]):
        call(X, W, Y, 1.0, stream=stream)
    places = [each["arguments"][-1] for each in launches_of(stub, vendor) if each["name"] == "three_products_h_kernel"]
    assert places[0] == places[2]
    assert abs(places[0] - places[1]) >= call.workspace_bytes
    assert stub.held_bytes(vendor.number) == 2 * call.workspace_bytes
    call.release()
    assert stub.held_bytes(vendor.number) == 0


def test_a_call_with_a_workspace_can_be_captured(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stream = new_stream(stub, vendor)
    stub.clear()
    assert getattr(stub.library, vendor.begin)(ctypes.c_void_p(stream), 0) == 0
    call(X, W, Y, 1.0, stream=stream, workspace=WORKSPACE)
    assert getattr(stub.library, vendor.end)(ctypes.c_void_p(stream), ctypes.byref(ctypes.c_void_p())) == 0
    names = [each["call"] for each in stub.records()]
    between = names[names.index(vendor.begin) + 1 : names.index(vendor.end)]
    assert between.count(vendor.launch) == 3
    assert set(between) == {vendor.launch, "cuCtxGetCurrent" if vendor.target == "cuda" else "hipGetDevice"}


def test_a_workspace_of_its_own_is_refused_while_a_stream_is_captured(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stream = new_stream(stub, vendor)
    getattr(stub.library, vendor.begin)(ctypes.c_void_p(stream), 0)
    with pytest.raises(DeviceError, match="operation not permitted when stream is capturing"):
        call(X, W, Y, 1.0, stream=stream)
    assert not launches_of(stub, vendor)
    getattr(stub.library, vendor.end)(ctypes.c_void_p(stream), ctypes.byref(ctypes.c_void_p()))
    call(X, W, Y, 1.0, stream=stream)
    assert len(launches_of(stub, vendor)) == 3


def test_memory_that_has_run_out_is_an_error_and_the_next_call_works(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stub.fail(vendor.allocate, OUT_OF_MEMORY)
    with pytest.raises(DeviceError, match=rf"{vendor.allocate} of {call.workspace_bytes} bytes failed .*: out of memory"):
        call(X, W, Y, 1.0)
    call(X, W, Y, 1.0)
    assert [each["status"] for each in launches_of(stub, vendor)] == [0, 0, 0]


def test_a_launch_that_fails_is_an_error_that_names_it_and_the_next_call_works(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stub.fail(vendor.launch, LAUNCH_FAILED, after=1)
    message = f"the launch of three_products_g_kernel on {vendor.source.vendor} device 0 failed .*: unspecified launch failure"
    with pytest.raises(DeviceError, match=message):
        call(X, W, Y, 1.0, workspace=WORKSPACE)
    call(X, W, Y, 1.0, workspace=WORKSPACE)
    assert [each["status"] for each in launches_of(stub, vendor)] == [0, LAUNCH_FAILED, 0, 0, 0]


def test_what_was_current_is_so_again_after_an_error(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor, index=1)
    device_of(stub.source(vendor.source), 0).activate()
    stub.clear()
    stub.fail(vendor.launch, LAUNCH_FAILED)
    with pytest.raises(DeviceError):
        call(*(replace(each, index=1) for each in (X, W, Y)), 1.0, workspace=WORKSPACE)
    assert [each["device"] for each in stub.records(vendor.context)] == [1, 0]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_tensor_on_the_processor_is_no_device_memory(stub: Stub, vendor: Vendor, place: int) -> None:
    call = loaded(stub, vendor)
    tensors: list[Any] = [X, W, Y]
    tensors[place] = torch.ones(40, 33)
    where = f"the kernel runs on {vendor.source.vendor} device 0"
    with pytest.raises(ShapeError, match=f"{'xwy'[place]} is a tensor on cpu; {where}"):
        call(*tensors, 1.0, workspace=WORKSPACE)
    assert not launches_of(stub, vendor)


def test_a_tensor_of_another_device_is_an_error(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor, index=1)
    tensors = [replace(each, index=1) for each in (X, W, Y)]
    with pytest.raises(ShapeError, match=f"w is a tensor on card:0; the kernel runs on {vendor.source.vendor} device 1"):
        call(tensors[0], W, tensors[2], 1.0, workspace=WORKSPACE)
    with pytest.raises(ShapeError, match="the workspace of three_products is a tensor on card:0"):
        call(*tensors, 1.0, workspace=Elsewhere(WORKSPACE))
    assert not launches_of(stub, vendor)


def test_a_workspace_that_is_none_is_an_error(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    for workspace, message in (
        (WORKSPACE + 8, "not aligned to 256 bytes"),
        ([0], "a workspace is device memory, not a list"),
        (torch.empty(1 << 20, dtype=torch.uint8), "the workspace of three_products is a tensor on cpu"),
        (Elsewhere(WORKSPACE, nbytes=64), f"a workspace takes {call.workspace_bytes} bytes; this one has 64"),
    ):
        with pytest.raises(ShapeError, match=message):
            call(X, W, Y, 1.0, workspace=workspace)
    assert not launches_of(stub, vendor)


def test_arguments_that_do_not_fit_are_errors(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    for arguments, message in (
        ((X, W, Y), "three_products takes 4 arguments: x, w, y, scale"),
        ((X, W, Y, "much"), "scale is a str, not a number"),
        (([1.0], W, Y, 1.0), "x is a list, which has no address"),
    ):
        with pytest.raises(ShapeError, match=message):
            call(*arguments, workspace=WORKSPACE)
    assert not launches_of(stub, vendor)


def test_host_arrays_are_copied_there_and_back(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stream = new_stream(stub, vendor)
    stub.clear()
    x, w, y = np.ones((40, 33), np.float32), np.ones((33, 33), np.float32), np.full((40, 33), 3.0, np.float32)
    call(x, w, y, 1.0, stream=stream, workspace=WORKSPACE)
    kinds = [each["call"].removesuffix("_v2") for each in stub.records() if "Get" not in each["call"]]
    copy = "cuMemcpy" if vendor.target == "cuda" else "hipMemcpy"
    allocate, free = vendor.allocate.removesuffix("_v2"), "cuMemFree" if vendor.target == "cuda" else "hipFree"
    staged = [allocate, f"{copy}HtoDAsync"] * 3
    assert kinds == [*staged, *[vendor.launch] * 3, vendor.synchronise, f"{copy}DtoH", *[free] * 3]
    assert stub.records(vendor.synchronise)[0]["stream"] == stream
    assert {each["stream"] for each in stub.records() if "HtoD" in each["call"]} == {stream}, "which need not wait for another"
    assert (y == 3).all()  # nothing was computed: it came back as it was sent
    assert stub.held_bytes(vendor.number) == 0


def test_what_was_staged_is_freed_after_an_error(stub: Stub, vendor: Vendor) -> None:
    call = loaded(stub, vendor)
    stub.fail(vendor.launch, LAUNCH_FAILED)
    arrays = [np.ones(shape, np.float32) for shape in ((40, 33), (33, 33), (40, 33))]
    with pytest.raises(DeviceError):
        call(*arrays, 1.0, workspace=WORKSPACE)
    assert stub.held_bytes(vendor.number) == 0


def test_an_empty_grid_is_not_launched(stub: Stub, vendor: Vendor) -> None:
    module = uol.compile("relu", vendor.target, "f32", {"S": (0,)}).module
    loaded(stub, vendor, artifact_for(module, vendor.architecture))(X, Y)
    assert not launches_of(stub, vendor)


@pytest.mark.parametrize(
    ("device", "made_for", "text_for", "loads"),
    [
        ("sm_80", "sm_80", "sm_80", ["elf"]),
        ("sm_86", "sm_80", "sm_80", ["elf"]),
        ("sm_90", "sm_80", "sm_80", ["text"]),
        ("sm_90", "sm_90", None, ["elf"]),
    ],
)
def test_where_no_binary_fits_the_driver_compiles_the_text(
    stub: Stub, device: str, made_for: str, text_for: str | None, loads: list[str]
) -> None:
    stub.reset(device)
    module = module_of_text("cuda")
    texts = {"three_products.ptx": images.ptx(text_for, [k.name for k in module.kernels])} if text_for else {}
    artifact = artifact_for(module, made_for, texts)
    operator = load_artifact(stub, artifact)
    assert [each["kind"] for each in stub.records("cuModuleLoadData") if each["status"] == 0] == loads
    operator(X, W, Y, 1.0, workspace=WORKSPACE)
    assert [each["status"] for each in stub.records("cuLaunchKernel")] == [0, 0, 0]


@pytest.mark.parametrize(("target", "device", "made_for"), [("cuda", "sm_80", "sm_90"), ("hip", "gfx942", "gfx90a")])
def test_a_device_that_takes_no_binary_is_named(stub: Stub, target: str, device: str, made_for: str) -> None:
    stub.reset(device)
    vendor = VENDORS[target].source.vendor
    message = f"{vendor} device 0 takes no binary of three_products: no kernel image is available for execution on the device"
    with pytest.raises(ToolchainError, match=message):
        load_artifact(stub, artifact_for(module_of_text(target), made_for))


def test_a_driver_that_is_older_than_the_compiler_is_told_with_both(stub: Stub) -> None:
    """As CUDA 12's is of what NVRTC 13 makes: CUDA_ERROR_NO_BINARY_FOR_GPU (209) for the one, for the other
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)."""
    texts = {"three_products.ptx": images.ptx("sm_80", ["three_products_h_kernel"])}
    artifact = replace(artifact_for(module_of_text("cuda"), "sm_90", texts), compiler="NVRTC 13.0")
    stub.fail("cuModuleLoadData", 222, after=1)
    with pytest.raises(ToolchainError) as caught:
        load_artifact(stub, artifact)
    for said in (
        "takes no binary of three_products, made by NVRTC 13.0: no kernel image is available",
        "unsupported toolchain. (status 222); its driver is CUDA 13.0",
        "UOL_CUDA_COMPILER names an older one, the file of an NVRTC or an nvcc",
    ):
        assert said in str(caught.value)


def test_a_load_that_fails_is_an_error_and_the_next_one_works(stub: Stub, vendor: Vendor) -> None:
    name = "cuModuleLoadData" if vendor.target == "cuda" else "hipModuleLoadData"
    stub.fail(name, OUT_OF_MEMORY)
    with pytest.raises(DeviceError, match="loading three_products failed on the .* device: out of memory"):
        loaded(stub, vendor)
    loaded(stub, vendor)(X, W, Y, 1.0, workspace=WORKSPACE)
    assert len(launches_of(stub, vendor)) == 3


def test_a_kernel_that_the_binary_lacks_is_an_error(stub: Stub, vendor: Vendor) -> None:
    module = module_of_text(vendor.target)
    artifact = replace(artifact_for(module, vendor.architecture), binary=images.binary(vendor.architecture, ["other"]))
    with pytest.raises(DeviceError, match="named symbol not found"):
        loaded(stub, vendor, artifact)


def test_much_shared_memory_is_asked_for_once(stub: Stub) -> None:
    module = with_shared(module_of_text("cuda"), 100 * 1024)
    call = load_artifact(stub, artifact_for(module, "sm_80"))
    assert [(each["attribute"], each["value"]) for each in stub.records("cuFuncSetAttribute")] == [(8, 100 * 1024)]
    stub.clear()
    for _ in range(2):
        call(X, W, Y, 1.0, workspace=WORKSPACE)
    assert [each["shared"] for each in stub.records("cuLaunchKernel")] == [0, 0, 100 * 1024] * 2
    assert all(each["status"] == 0 for each in stub.records())
    assert not stub.records("cuFuncSetAttribute")


def test_amds_runtime_gives_what_the_device_has(stub: Stub) -> None:
    call = load_artifact(stub, artifact_for(with_shared(module_of_text("hip"), 64 * 1024), "gfx90a"))
    call(X, W, Y, 1.0, workspace=WORKSPACE)
    assert [each["status"] for each in stub.records("hipModuleLaunchKernel")] == [0, 0, 0]
    assert not stub.records("hipFuncSetAttribute")


@pytest.mark.parametrize(("target", "asked", "most"), [("cuda", 100 * 1024, 99 * 1024), ("hip", 65 * 1024, 64 * 1024)])
def test_more_shared_memory_than_the_device_has_is_refused(stub: Stub, target: str, asked: int, most: int) -> None:
    architecture = "sm_86" if target == "cuda" else "gfx90a"
    stub.reset()
    stub.device(architecture, shared_bytes=most)
    where = f"{VENDORS[target].source.vendor} device 0"
    message = f"three_products_y_sum_kernel takes {asked} bytes of shared memory; a block on {where} has {most}"
    with pytest.raises(ResourceError, match=message):
        load_artifact(stub, artifact_for(with_shared(module_of_text(target), asked), architecture))


def test_a_device_that_is_not_there_is_an_error(stub: Stub, vendor: Vendor) -> None:
    with pytest.raises(ToolchainError, match=f"there is no {vendor.source.vendor} device 7") as caught:
        device_of(stub.source(vendor.source), 7)
    assert "there are 2, counted from 0" in str(caught.value)


def test_a_backend_loads_by_index(stub: Stub, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = registry.get(vendor.target)
    monkeypatch.setattr(backend, "driver", stub.source(vendor.source))
    module = module_of_text(vendor.target)
    call = backend.load(artifact_for(module, vendor.architecture), 1)
    assert call.workspace_bytes == workspace_layout(module.graph).bytes > 0
    call(*(replace(each, index=1) for each in (X, W, Y)), 1.0, workspace=WORKSPACE)
    assert {each["device"] for each in launches_of(stub, vendor)} == {1}


@pytest.mark.parametrize(("value", "pushed"), [("1", 1), ("0", 0), ("", 0)])
def test_ranges_carry_the_name_where_they_are_asked_for(
    stub: Stub, vendor: Vendor, value: str, pushed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ranges.VARIABLE, value)
    call = loaded(stub, vendor)
    stub.fail(vendor.launch, LAUNCH_FAILED)
    with pytest.raises(DeviceError):
        call(X, W, Y, 1.0, workspace=WORKSPACE)
    kind = "nvtx" if vendor.target == "cuda" else "roctx"
    calls = [each for each in stub.records() if "Range" in each["call"]]
    assert [each["call"] for each in calls] == [f"{kind}RangePushA", f"{kind}RangePop"] * pushed
    assert [each["name"] for each in calls[:1]] == ["three_products"] * pushed


def test_ranges_without_a_library_are_a_warning(stub: Stub, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ranges.VARIABLE, "1")
    absent = replace(vendor.source.ranges, libraries=(f"libabsent-{vendor.target}.so",))
    enqueue = loaded(stub, vendor).enqueue
    with pytest.warns(UserWarning, match="UOL_RANGES is set, and there is none of libabsent"):
        assert ranges.with_ranges("three_products", enqueue, absent) is enqueue


def test_a_driver_that_does_not_start_says_why(stub: Stub, vendor: Vendor) -> None:
    source = replace(stub.source(vendor.source), hint=f"of this test, {vendor.target}")  # a driver is opened once
    stub.fail("cuInit" if vendor.target == "cuda" else "hipInit", 999)
    with pytest.raises(UolError, match="does not start"):
        source.open()
    assert source.state().found  # and starts, once it can
    assert source.state().detail.endswith("with 2 devices")

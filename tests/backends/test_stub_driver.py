"""The stub driver refuses what a driver refuses, and records what it was asked for."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from simt_cases import Case, module_of

from uol.backends import registry
from uol.backends.cuda import nvrtc
from uol.backends.stub_driver import images
from uol.backends.stub_driver.stub import Stub, library_folder

INVALID_VALUE, OUT_OF_MEMORY, INVALID_CONTEXT, NO_BINARY, INVALID_HANDLE, NOT_FOUND, CAPTURING = 1, 2, 201, 209, 400, 500, 900
RELU = Case("relu", {"S": 8}, rank=1)


def current(stub: Stub, device: int) -> None:
    context = ctypes.c_void_p()
    assert stub.library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device) == 0
    assert stub.library.cuCtxSetCurrent(context) == 0


def loaded(stub: Stub, image: bytes, call: str = "cuModuleLoadData") -> tuple[int, ctypes.c_void_p]:
    module = ctypes.c_void_p()
    return getattr(stub.library, call)(ctypes.byref(module), ctypes.c_char_p(image)), module


def function_of(stub: Stub, module: ctypes.c_void_p, name: bytes) -> tuple[int, ctypes.c_void_p]:
    function = ctypes.c_void_p()
    return stub.library.cuModuleGetFunction(ctypes.byref(function), module, name), function


def launched(stub: Stub, function: ctypes.c_void_p, shared: int = 0, stream: object = None, threads: int = 32) -> int:
    status: int = stub.library.cuLaunchKernel(function, 1, 1, 1, threads, 1, 1, shared, stream, None, None)
    return status


@pytest.mark.parametrize(
    ("device", "made_for", "status"),
    [
        ("sm_80", "sm_80", 0),
        ("sm_86", "sm_80", 0),
        ("sm_80", "sm_86", NO_BINARY),
        ("sm_90", "sm_80", NO_BINARY),
        ("sm_90", "sm_90", 0),
        ("sm_80", "gfx90a", NO_BINARY),
    ],
)
def test_a_cubin_runs_on_its_generation(stub: Stub, device: str, made_for: str, status: int) -> None:
    stub.reset(device)
    current(stub, 0)
    assert loaded(stub, images.binary(made_for, ["k"]))[0] == status


@pytest.mark.parametrize(("device", "made_for", "status"), [("sm_90", "sm_80", 0), ("sm_80", "sm_90", NO_BINARY)])
def test_ptx_runs_on_what_comes_later(stub: Stub, device: str, made_for: str, status: int) -> None:
    stub.reset(device)
    current(stub, 0)
    assert loaded(stub, images.ptx(made_for, ["k"]))[0] == status


@pytest.mark.parametrize(("device", "status"), [("gfx90a", 0), ("gfx942", NO_BINARY)])
def test_a_code_object_runs_on_its_architecture(stub: Stub, device: str, status: int) -> None:
    stub.reset(device)
    assert loaded(stub, images.binary("gfx90a", ["k"]), "hipModuleLoadData")[0] == status


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")
def test_what_nvrtc_makes_is_taken_for_its_architecture(stub: Stub) -> None:
    artifact = registry.get("cuda").build(module_of(RELU, "cuda"))
    for device, of_cubin, of_ptx in (("sm_80", 0, 0), ("sm_90", NO_BINARY, 0)):
        stub.reset(device)
        current(stub, 0)
        status, module = loaded(stub, artifact.binary)
        assert (status, loaded(stub, artifact.files["relu.ptx"])[0]) == (of_cubin, of_ptx)
        if status == 0:
            assert [function_of(stub, module, name)[0] for name in (b"relu_kernel", b"absent")] == [0, NOT_FOUND]


@pytest.mark.skipif(shutil.which("hipcc") is None, reason="hipcc is not installed")
def test_what_hipcc_makes_is_taken_for_its_architecture(stub: Stub) -> None:
    artifact = registry.get("hip").build(module_of(RELU, "hip"))
    for device, status in (("gfx90a", 0), ("gfx942", NO_BINARY)):
        stub.reset(device)
        assert loaded(stub, artifact.binary, "hipModuleLoadData")[0] == status


def test_a_launch_needs_its_context_its_stream_and_its_shared_memory(stub: Stub) -> None:
    assert loaded(stub, images.binary("sm_80", ["k"]))[0] == INVALID_CONTEXT
    current(stub, 1)
    stream = ctypes.c_void_p()
    assert stub.library.cuStreamCreate(ctypes.byref(stream), 0) == 0
    current(stub, 0)
    _, module = loaded(stub, images.binary("sm_80", ["k"]))
    _, function = function_of(stub, module, b"k")
    assert launched(stub, function) == 0
    assert launched(stub, function, stream=stream) == INVALID_HANDLE
    assert launched(stub, function, threads=2048) == INVALID_VALUE
    assert launched(stub, function, shared=64 * 1024) == INVALID_VALUE
    assert stub.library.cuFuncSetAttribute(function, 8, 64 * 1024) == 0
    assert launched(stub, function, shared=64 * 1024) == 0
    assert stub.library.cuFuncSetAttribute(function, 8, 200 * 1024) == INVALID_VALUE
    current(stub, 1)
    assert launched(stub, function) == INVALID_HANDLE


def test_memory_is_of_a_size_and_ends(stub: Stub) -> None:
    stub.reset()
    stub.device("sm_80", memory_bytes=1000)
    current(stub, 0)
    address, host = ctypes.c_void_p(), ctypes.create_string_buffer(b"abc", 16)
    assert stub.library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(1001)) == OUT_OF_MEMORY
    assert stub.library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(10)) == 0
    assert (stub.held_bytes(0), (address.value or 0) % 256) == (10, 0)
    assert stub.library.cuMemcpyHtoD_v2(address, host, ctypes.c_size_t(11)) == INVALID_VALUE
    assert stub.library.cuMemcpyHtoD_v2(address, host, ctypes.c_size_t(3)) == 0
    back = ctypes.create_string_buffer(3)
    assert stub.library.cuMemcpyDtoH_v2(back, address, ctypes.c_size_t(3)) == 0
    assert back.raw == b"abc"
    assert [stub.library.cuMemFree_v2(address) for _ in range(2)] == [0, INVALID_VALUE]
    assert stub.held_bytes(0) == 0


def test_nothing_is_allocated_or_waited_for_while_a_stream_is_captured(stub: Stub) -> None:
    current(stub, 0)
    stream, address = ctypes.c_void_p(), ctypes.c_void_p()
    assert stub.library.cuStreamCreate(ctypes.byref(stream), 0) == 0
    assert stub.library.cuStreamBeginCapture_v2(stream, 0) == 0
    assert stub.library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(8)) == CAPTURING
    assert stub.library.cuStreamSynchronize(stream) == CAPTURING
    assert stub.library.cuStreamEndCapture(stream, ctypes.byref(ctypes.c_void_p())) == 0
    assert stub.library.cuStreamSynchronize(stream) == 0


def test_a_failure_is_answered_as_often_as_it_was_asked_for(stub: Stub) -> None:
    count = ctypes.c_int()
    stub.fail("cuDeviceGetCount", 719, after=1, times=2)
    assert [stub.library.cuDeviceGetCount(ctypes.byref(count)) for _ in range(4)] == [0, 719, 719, 0]
    assert [each["status"] for each in stub.records("cuDeviceGetCount")] == [0, 719, 719, 0]


def test_another_process_finds_it_where_it_looks_for_a_driver(tmp_path: Path) -> None:
    code = (
        "import ctypes; cuda, hip = ctypes.CDLL('libcuda.so.1'), ctypes.CDLL('libamdhip64.so'); n = ctypes.c_int()\n"
        "assert cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(n)) == 0; print(n.value)\n"
        "assert hip.hipGetDeviceCount(ctypes.byref(n)) == 999"
    )
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library_folder(tmp_path / "driver")),
        "UOL_STUB_DEVICES": "sm_90,sm_90,sm_86,gfx942",
        "UOL_STUB_FAILURES": "hipGetDeviceCount:999",
        "UOL_STUB_LOG": str(tmp_path / "log"),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3"]
    calls = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(c["call"], c["status"]) for c in calls] == [("cuInit", 0), ("cuDeviceGetCount", 0), ("hipGetDeviceCount", 999)]

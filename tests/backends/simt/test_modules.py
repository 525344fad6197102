"""The files of a module, what a compiler's refusal says, and the loader's calls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from simt_cases import Case, module_of

from uol.backends import registry
from uol.backends.loading.arguments import number
from uol.backends.loading.loaded import DeviceOperator
from uol.backends.simt.driver_api import Driver, DriverNames, DriverSource
from uol.backends.simt.loading import load
from uol.backends.toolchain.diagnostics import refusal
from uol.codegen.backend import Artifact, Module
from uol.ir.errors import ShapeError, ToolchainError, UolError

SOFTMAX = Case("softmax", {"S": 5, "C": 257}, "f16", rank=1)
EMPTY = Case("relu", {"S": 0}, rank=1)


@pytest.mark.parametrize(("target", "suffix"), [("cuda", ".cu"), ("hip", ".hip")])
def test_files(target: str, suffix: str) -> None:
    module = module_of(SOFTMAX, target)
    assert module.device.name == f"softmax{suffix}"
    headers = ["uol_softmax.h", "uol_abi.h", "uol_device.h", "uol_device_common.h"]
    headers += ["uol_device_storage.h", "uol_device_random.h"]
    assert [f.name for f in module.host] == ["softmax_host.cpp", *headers, "example.cpp", "uol_launch.h", "uol_driver.h"]
    assert module.build.endswith("softmax_host.cpp -ldl")
    lines = module.device.text.splitlines()
    source = [line[8:] for line in lines[1 : 1 + len(module.graph.source.splitlines())]]
    assert source == module.graph.source.splitlines()
    assert not any(line != line.rstrip() or "\t" in line for line in lines)


def test_the_launcher_skips_an_empty_grid() -> None:
    host = module_of(EMPTY, "cuda").host[0].text
    assert "relu_kernel: no elements, nothing to launch" in host
    assert "uol_enqueue" not in host


def test_two_kernels_of_one_name_are_refused() -> None:
    module = module_of(SOFTMAX, "cuda")
    backend = registry.get("cuda")
    with pytest.raises(UolError, match="two kernels of softmax have the same name"):
        backend.assemble(module.graph, module.kernels * 2, backend.devices["a100"])


def test_a_message_is_traced_to_the_line_of_the_op() -> None:
    module = module_of(SOFTMAX, "cuda")
    lines = module.device.text.splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "uol::exp" in line)
    error = refusal("NVRTC", module, f'softmax.cu({number}): error: no "exp" here\n\n1 error detected')
    assert error.span is not None
    assert (error.span.file, error.span.line, error.span.column) == ("softmax", 3, 3)
    assert "e[*s, c] = exp(acc(x[*s, c]) - hi[*s])\n    ^^^^^" in str(error).replace("    e[", "e[", 1)
    assert "NVRTC refused softmax.cu" in error.message
    assert "the emitted line is: const float e = uol::exp" in (error.hint or "")


def test_a_message_about_a_line_without_reference_names_the_line_above() -> None:
    module = module_of(SOFTMAX, "hip")
    lines = module.device.text.splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "uol::block_sum" in line)
    error = refusal("hipcc", module, f"softmax.hip:{number}:3: error: oh")
    assert error.span is not None
    assert error.span.line == 4


def test_a_message_about_a_header_has_no_line_of_the_op() -> None:
    error = refusal("hipcc", module_of(SOFTMAX, "hip"), "uol_device.h:3:1: error: oh\nmore")
    assert error.span is None
    assert "uol_device.h:3: oh" in error.message


def test_a_failure_without_a_place_keeps_what_the_tool_said() -> None:
    error = refusal("nvcc", module_of(SOFTMAX, "cuda"), "ptxas fatal: out of registers")
    assert error.hint == "ptxas fatal: out of registers"


class Recorder:
    """A driver library that takes notes and keeps device memory in host memory."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.memory: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self.status = 0

    def load(self, module: object, binary: ctypes.c_char_p) -> int:
        self.calls.append(("load", binary.value))
        return self.status

    def function(self, function: object, module: object, name: bytes) -> int:
        self.calls.append(("function", name))
        return 0

    def launch(self, function: object, *arguments: ctypes.c_uint) -> int:
        shape = tuple(a.value for a in arguments[:7])
        self.calls.append(("launch", shape))
        return 0

    def allocate(self, address: ctypes.c_void_p, size: ctypes.c_size_t) -> int:
        block = ctypes.create_string_buffer(size.value)
        self.memory[ctypes.addressof(block)] = block
        pointer = ctypes.c_void_p(ctypes.addressof(block))
        ctypes.memmove(address, ctypes.byref(pointer), ctypes.sizeof(pointer))
        self.calls.append(("allocate", size.value))
        return 0

    def free(self, address: ctypes.c_void_p) -> int:
        del self.memory[address.value or 0]
        return 0

    def copy(self, to: ctypes.c_void_p, origin: ctypes.c_void_p, size: ctypes.c_size_t) -> int:
        ctypes.memmove(to, origin, size.value)
        self.calls.append(("copy", size.value))
        return 0

    def synchronise(self, stream: object) -> int:
        self.calls.append(("synchronise",))
        return 0


NAMES = DriverNames("load", "function", "launch", "allocate", "free", "copy", "copy", "synchronise")


def loaded(module: Module, library: Recorder) -> DeviceOperator:
    driver = Driver("test", cast(ctypes.CDLL, library), NAMES, lambda: None, lambda status: f"status {status}")
    return load(Artifact(module, b"code", None, ""), driver)


def test_a_driver_is_the_first_library_that_there_is_and_is_started_once() -> None:
    started: list[ctypes.CDLL] = []

    def start(library: ctypes.CDLL) -> Callable[[], None]:
        started.append(library)
        return lambda: None

    libraries = ("libabsent.so", "libc.so.6")
    source = DriverSource("test", "test driver", libraries, NAMES, start, lambda _, status: f"status {status}", "none")
    driver = source.open()
    assert source.open() is driver
    assert started == [driver.library]
    assert driver.explain(3) == "status 3"
    assert source.state().found


def test_host_arrays_are_copied_there_and_back() -> None:
    library = Recorder()
    run = loaded(module_of(SOFTMAX, "cuda"), library)
    x, y = np.ones((5, 257), np.float16), np.empty((5, 257), np.float16)
    run(x, y)
    kinds = [c[0] for c in library.calls]
    assert kinds == ["load", "function", "allocate", "copy", "allocate", "copy", "launch", "synchronise", "copy"]
    assert library.calls[6] == ("launch", (5, 1, 1, 256, 1, 1, 0))
    assert library.calls[2] == ("allocate", 5 * 257 * 2)
    assert not library.memory


def test_device_memory_is_neither_copied_nor_waited_for() -> None:
    library = Recorder()
    loaded(module_of(SOFTMAX, "cuda"), library)(4096, 8192)
    assert [c[0] for c in library.calls] == ["load", "function", "launch"]


def test_an_empty_grid_is_not_launched() -> None:
    library = Recorder()
    loaded(module_of(EMPTY, "cuda"), library)(0, 0)
    assert [c[0] for c in library.calls] == ["load", "function"]


def test_a_wrong_number_of_arguments_is_an_error() -> None:
    with pytest.raises(ShapeError, match="softmax takes 2 arguments: x, y"):
        loaded(module_of(SOFTMAX, "cuda"), Recorder())(1)


def test_what_is_neither_memory_nor_a_number_is_an_error() -> None:
    with pytest.raises(ShapeError, match="x is a list, which has no address"):
        loaded(module_of(SOFTMAX, "cuda"), Recorder())([1.0], 8192)
    with pytest.raises(ShapeError, match="eps is a str, not a number"):
        number("eps", "tiny")
    assert [number("eps", value) for value in (3, 0.5, np.float32(0.5), np.int64(2**53 + 1))] == [3, 0.5, 0.5, 2**53 + 1]


def test_a_driver_that_refuses_is_a_toolchain_error() -> None:
    library = Recorder()
    library.status = 209
    with pytest.raises(ToolchainError, match="load failed on the test device: status 209"):
        loaded(module_of(SOFTMAX, "cuda"), library)

"""The files of a module, and what a compiler's refusal says."""

from __future__ import annotations

import pytest
from simt_cases import Case, module_of

from uol.backends import registry
from uol.backends.toolchain.diagnostics import refusal
from uol.ir.errors import UolError

SOFTMAX = Case("softmax", {"S": 5, "C": 257}, "f16", rank=1)
EMPTY = Case("relu", {"S": 0}, rank=1)


@pytest.mark.parametrize(("target", "suffix"), [("cuda", ".cu"), ("hip", ".hip")])
def test_files(target: str, suffix: str) -> None:
    module = module_of(SOFTMAX, target)
    assert module.device.name == f"softmax{suffix}"
    headers = ["uol_softmax.h", "uol_abi.h", "uol_device.h", "uol_device_common.h"]
    headers += ["uol_device_storage.h", "uol_device_random.h", "uol_device_trigonometry.h"]
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

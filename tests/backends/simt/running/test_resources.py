"""What binaries say of their kernels, against what the compilers that made them say."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import uol
from uol.backends import registry
from uol.backends.cuda import nvrtc
from uol.backends.cuda import resources as cubin
from uol.backends.hip import clang
from uol.backends.hip import resources as code_object
from uol.backends.toolchain.running import folder_of
from uol.codegen.backend import Artifact, Module
from uol.codegen.extensions import OnDemandBackend, Resources

SAID_BY_PTXAS = re.compile(
    r"entry function '(\w+)'.*?(\d+) bytes stack frame.*?Used (\d+) registers",
    re.DOTALL,
)


needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, so there is no cubin to read")
"""The project's own environment has it: `make environment`."""


def product(target: str) -> Module:
    return uol.compile("matmul", target, "f32", {"S": 1, "M": 4096, "K": 64, "N": 4096}).module


@needs_nvrtc
@pytest.mark.parametrize("crowded", [False, True])
def test_a_cubin_says_what_its_assembler_said(crowded: bool) -> None:
    """With as many blocks a core as its threads allow, 32 registers each, a product needs memory beside them."""
    module = product("cuda")
    (kernel,) = module.kernels
    threads = kernel.launch.block[0]
    roomy, full = f"__launch_bounds__({threads}, 1)", f"__launch_bounds__({threads}, {2048 // threads})"
    assert roomy in module.device.text
    text = module.device.text.replace(roomy, full) if crowded else module.device.text
    headers = {f.name: f.text for f in module.host if f.name.endswith(".h")}
    options = ["--gpu-architecture=sm_80", "--std=c++17", "--ptxas-options=-v"]
    made = nvrtc.compile_text(module.device.name, text, headers, options)
    said = {name: Resources(int(registers), int(frame)) for name, frame, registers in SAID_BY_PTXAS.findall(made.log)}
    found = cubin.resources(Artifact(module, made.cubin, None, made.log))
    assert found == said and len(said) == len(module.kernels), made.log
    assert any(each.local_bytes for each in found.values()) is crowded


@needs_nvrtc
@pytest.mark.parametrize(
    ("op", "types", "dims"),
    [
        ("softmax", "f32", {"S": 1024, "C": 16_384}),
        ("layer_norm", "f32", {"S": 1024, "C": 16_384}),
        ("add_layer_norm", "f16", {}),
        ("add_layer_norm_grad", "f16", {}),
        ("rms_norm_residual_grad", "bf16", {}),
    ],
)
def test_the_longest_rows_that_are_kept_fit_registers(op: str, types: str, dims: dict[str, int]) -> None:
    """Those of a thread are 128 where 512 share a row; 64, where 1024 do, were too few (8 to 24 bytes went to memory). Of the
    kernels for any length, those for the longest rows."""
    module, backend = uol.compile(op, "cuda:h100", types, dims).module, registry.get("cuda")
    assert isinstance(backend, OnDemandBackend) and max(kernel.launch.block[0] for kernel in module.kernels) == 512
    longest = [kernel for kernel in module.kernels if dims or "up_to_16384" in kernel.spec.name]
    assert longest
    for kernel in longest:
        found = cubin.resources(backend.build(backend.module_of_kernel(module, kernel)))
        assert not {name: each for name, each in found.items() if each.local_bytes}


@pytest.mark.skipif(clang.find() is None, reason="there is no clang with AMD's libraries to build a code object with")
@pytest.mark.parametrize("text", ["float kept[4];", "float kept[4096]; // what no registers hold"])
def test_a_code_object_says_what_its_compiler_said(text: str) -> None:
    module, compiler = product("hip"), clang.find()
    assert compiler is not None
    (kernel,) = module.kernels
    body = f"""#include "uol_device.h"
extern "C" __global__ void __launch_bounds__(64) {kernel.name}(const float* x, float* y, int n) {{
  {text}
  for (int i = 0; i < n; ++i) kept[i & 3] = x[i];
  y[threadIdx.x] = kept[threadIdx.x & 3] + kept[n & 1];
}}
"""
    small = replace(module, device=replace(module.device, text=body))
    device = registry.get("hip").devices["mi250x"]
    binary, log = clang.build(compiler, small, device, "c++17")
    found = code_object.resources(Artifact(small, binary, None, log))
    with folder_of(small) as folder:
        (folder / "out.co").write_bytes(binary)
        said = notes(folder / "out.co")
    assert found[kernel.name].local_bytes == said["private_segment_fixed_size"]
    assert said["vgpr_count"] <= found[kernel.name].registers < said["vgpr_count"] + 8
    bundled = in_bundle(binary)
    assert code_object.resources(Artifact(small, bundled, None, log)) == found


def notes(path: Path) -> dict[str, int]:
    """The metadata of the one kernel of a code object."""
    reader = shutil.which("llvm-readelf")
    if reader is None:  # it comes with the clang that hipcc installs, under a versioned name on some systems
        pytest.skip("llvm-readelf is not installed, so there is nothing to compare with")
    shown = subprocess.run([reader, "--notes", path], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in re.findall(r"\.(vgpr_count|private_segment_fixed_size):\s*(\d+)", shown)}


def in_bundle(binary: bytes) -> bytes:
    """As hipcc gives it: beside an empty part for the host."""
    names = (b"host-x86_64-unknown-linux--", b"hipv4-amdgcn-amd-amdhsa--gfx90a")
    head = len(code_object.BUNDLE) + 8 + sum(24 + len(name) for name in names)
    sizes = ((head, 0), (head, len(binary)))
    entries = b"".join(struct.pack("<QQQ", *s, len(n)) + n for s, n in zip(sizes, names, strict=True))
    return code_object.BUNDLE + struct.pack("<Q", len(names)) + entries + binary

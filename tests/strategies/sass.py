"""What NVIDIA's compiler makes of emitted texts, read from the binary: instructions and registers. Needs no card."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from uol.backends import registry
from uol.backends.cuda import nvrtc
from uol.codegen.backend import Module

INCLUDES = [Path(nvrtc.__file__).parent / "include", Path(nvrtc.__file__).parents[1] / "simt" / "include"]
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(\w+)[^;]*;")
NO_WORK = frozenset(["NOP", "BRA", "EXIT", "LDG", "STG"])
INTEGER = frozenset(["IADD3", "IMAD", "IMNMX", "IABS", "ISETP", "LEA", "LOP3", "PRMT", "SEL", "SHF", "FSETP", "FSEL", "FMNMX"])
"""What the integer unit does: CUDA binary utilities, instruction set reference; IMAD's unit is as fast."""


@cache
def disassembler() -> str | None:
    """cuobjdump, of PyPI's package or of the system."""
    spec = importlib.util.find_spec("nvidia")
    roots = (spec.submodule_search_locations or []) if spec else []
    folders = [str(path.parent) for root in roots for path in Path(root).glob("*/bin/cuobjdump")]
    return shutil.which("cuobjdump", path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))


needs_sass = pytest.mark.skipif(
    nvrtc.library() is None or disassembler() is None, reason="NVRTC or cuobjdump is not installed, so there is no SASS to read"
)


def instructions(cubin: bytes) -> dict[str, Counter[str]]:
    """How many of each instruction stand in each kernel of a binary."""
    tool = disassembler()
    assert tool is not None
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(tool).parent), os.environ.get("PATH", "")])}
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        listing = subprocess.run([tool, "-sass", file.name], capture_output=True, text=True, check=True, env=environment).stdout
    parts = re.split(r"Function : (\S+)", listing)
    return {name: Counter(INSTRUCTION.findall(body)) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def of_module(module: Module) -> dict[str, Counter[str]]:
    return instructions(registry.get("cuda").build(module).binary)


def marginal(start: str, call: str, end: str) -> float:
    """Instructions of one call more, in a kernel with 24 of them beside one with 8. `#` stands for the number of the call."""
    few, many = (_of_body(start + "".join(call.replace("#", str(k)) for k in range(n)) + end) for n in (8, 24))
    return (many.total() - few.total()) / 16


def _of_body(body: str) -> Counter[str]:
    head = 'extern "C" __global__ void f(const float* a, const int* b, float* y, int* z) { const int i = threadIdx.x;'
    headers: Mapping[str, str] = {file.name: file.read_text() for folder in INCLUDES for file in folder.glob("*.h")}
    options = ["--gpu-architecture=sm_80", "--std=c++17"]
    made = nvrtc.compile_text("f.cu", f'#include "uol_device.h"\n{head}{body}}}', headers, options)
    assert made.cubin, made.log
    (found,) = instructions(made.cubin).values()
    return Counter({name: number for name, number in found.items() if name not in NO_WORK})

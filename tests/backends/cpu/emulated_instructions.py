"""Kernels that use instructions which this machine lacks, run all the same: what is emitted, with the intrinsics exchanged for
scalar C (`emulated_instructions.c`). All else of a kernel is compiled as it is, for a processor with AVX2."""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path

import pytest

from uol.backends.cpu import host as hosts
from uol.backends.cpu.dots import instructions
from uol.backends.cpu.host import Host
from uol.backends.cpu.runtime import objectcode
from uol.backends.cpu.runtime.thread_pool import c_compiler

SOURCE = Path(__file__).with_suffix(".c")
VECTORS = {
    "avx512bf16.dpbf16ps.512": ("dpbf16ps", 16, "float", "<32 x bfloat>"),
    "avx512.vpdpbusd.512": ("vpdpbusd", 16, "i32", "<64 x i8>"),
    "avx512.vpdpbusd.256": ("vpdpbusd", 8, "i32", "<32 x i8>"),
}
"""Intrinsics on vectors: what emulates them, and what they take."""


def machine(*units: str, vector_bytes: int = 64, registers: int = 8) -> Host:
    """A processor of that width with instructions on words; kernels are compiled for one with AVX2, whose few registers make
    small tiles: emulated, every instruction is a call."""
    return Host("x86-64-v3", vector_bytes, registers, 2, units=frozenset(units))


def emulate(monkeypatch: pytest.MonkeyPatch, found: Host) -> ctypes.CDLL:
    """Kernels are compiled for that machine from now on, and run on this one. Gives the library of the instructions. What LLVM
    does not optimise is built sooner, and calls of C gain nothing by it."""
    library = _library()
    text = emulated(instructions.functions())
    monkeypatch.setattr(hosts, "_host", lambda *_: found)
    monkeypatch.setattr(instructions, "functions", lambda: text)
    monkeypatch.setattr(objectcode, "assembly", partial(objectcode.assembly, optimised=False))
    return library


def emulated(text: str) -> str:
    """LLVM text with calls of C in place of intrinsics."""
    text = re.sub(r' "target-features"="[^"]*"', "", text)
    for name, (function, lanes, element, operand) in VECTORS.items():
        text = text.replace(f"declare <{lanes} x {element}> @llvm.x86.{name}(", f"; @llvm.x86.{name}(")
        text = text.replace(f"@llvm.x86.{name}", f"@called_{function}_{lanes}")
        text += _called(function, lanes, element, operand)
    return text.replace("@llvm.x86.", "@emulated_") + "".join(
        f"\ndeclare void @emulated_{function}(ptr, ptr, ptr, i32)" for function in ("dpbf16ps", "vpdpbusd")
    )


def _called(function: str, lanes: int, element: str, operand: str) -> str:
    vector = f"<{lanes} x {element}>"
    return f"""
define internal {vector} @called_{function}_{lanes}({vector} %total, {operand} %a, {operand} %b) noinline {{
  %totals = alloca {vector}
  %as = alloca {operand}
  %bs = alloca {operand}
  store {vector} %total, ptr %totals
  store {operand} %a, ptr %as
  store {operand} %b, ptr %bs
  call void @emulated_{function}(ptr %totals, ptr %as, ptr %bs, i32 {lanes})
  %sum = load {vector}, ptr %totals
  ret {vector} %sum
}}
"""


@cache
def _library() -> ctypes.CDLL:
    """What kernels call, for this process."""
    compiler = c_compiler()
    assert compiler is not None, "the instructions are emulated in C"
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "emulated.so"
        flags = ("-std=c11", "-O2", "-mfma", "-ffp-contract=off", "-shared", "-fPIC")
        subprocess.run([compiler, *flags, "-o", str(built), str(SOURCE), "-lm"], check=True)
        return ctypes.CDLL(str(built), mode=ctypes.RTLD_GLOBAL)

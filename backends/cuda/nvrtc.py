"""NVRTC, NVIDIA's compiler as a library: where it is found. It needs no GPU and no driver."""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uol.backends.simt.running.runtime_compiler import RuntimeCompiler
from uol.ir.errors import ToolchainError


@dataclass(frozen=True, slots=True)
class Compiled:
    """What NVRTC made of a text; `cubin` and `ptx` are empty where it refused, `log` says why."""

    cubin: bytes
    ptx: bytes
    log: str


VARIABLE = "UOL_CUDA_COMPILER"
"""The environment's: the file of an NVRTC, or an nvcc, that compiles in place of what would be found. What a compiler makes a
driver takes that is as new (CUDA Compatibility guide: PTX asks for a driver that knows its version)."""
NAMED_HINT = "name the file of an NVRTC, .../libnvrtc.so.12, or an nvcc"


def chosen() -> str:
    """The NVRTC that the environment names; empty where it names none."""
    named = os.environ.get(VARIABLE, "")
    return named if Path(named).name.startswith("libnvrtc") else ""


def library() -> ctypes.CDLL | None:
    """The NVRTC that the environment names, else one that can be found: the PyPI package's, a toolkit's, the system's. Raises
    ToolchainError where the named one does not open."""
    return _opened(chosen())


@cache
def _opened(named: str) -> ctypes.CDLL | None:
    for path in [named] if named else _candidates():
        try:
            for builtins in builtins_beside(path):
                ctypes.CDLL(builtins)
            return ctypes.CDLL(path)
        except OSError as error:
            if named:
                raise ToolchainError(f"{VARIABLE} names no NVRTC that opens: {error}", hint=NAMED_HINT) from error
    return None


def version() -> str:
    """`13.0`; empty where there is no NVRTC."""
    found = _compiler()
    return "" if found is None else found.version()


def place() -> str:
    """The file, or the name, under which the NVRTC was opened; empty where there is none."""
    found = library()
    return "" if found is None else str(found._name)


def compile_text(name: str, text: str, headers: Mapping[str, str], options: Sequence[str]) -> Compiled:
    """Compiles a text with its headers, all in memory. Raises ToolchainError where NVRTC itself fails."""
    found = _compiler()
    if found is None:
        raise ToolchainError("NVRTC was not found", hint="pip install nvidia-cuda-nvrtc")
    made, log = found.compile(name, text, headers, options, ("CUBIN", "PTX"))
    return Compiled(made.get("CUBIN", b""), made.get("PTX", b"").rstrip(b"\0"), log)


def _compiler() -> RuntimeCompiler | None:
    found = library()
    return None if found is None else RuntimeCompiler(found, "nvrtc", "NVRTC")


def installed() -> list[str]:
    """The files of NVRTC where PyPI's package or a toolkit puts them, those first that are looked at first."""
    paths: list[str] = []
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or []) if spec else []:
        paths += [str(p) for p in sorted(Path(root).glob("*/lib/libnvrtc.so*"), reverse=True)]
    return paths + [str(p) for p in sorted(Path("/usr/local/cuda/lib64").glob("libnvrtc.so*"), reverse=True)]


def _candidates() -> Iterator[str]:
    yield from installed()
    if system := find_library("nvrtc"):
        yield system


def builtins_beside(path: str) -> list[str]:
    """A library that NVRTC opens by its bare name. That of 13.0, which PyTorch 2.13 asks for, is found so only by a process
    that has loaded it."""
    folder = Path(path).parent
    return [str(p) for p in sorted(folder.glob("libnvrtc-builtins.so*"))] if folder.is_absolute() else []

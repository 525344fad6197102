"""NVRTC, NVIDIA's compiler as a library, through ctypes. It needs no GPU and no driver.

API: https://docs.nvidia.com/cuda/nvrtc (nvrtcCreateProgram, nvrtcCompileProgram, nvrtcGetCUBIN, nvrtcGetPTX).
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uol.ir.errors import ToolchainError


@dataclass(frozen=True, slots=True)
class Compiled:
    """What NVRTC made of a text; `cubin` and `ptx` are empty where it refused, `log` says why."""

    cubin: bytes
    ptx: bytes
    log: str


@cache
def library() -> ctypes.CDLL | None:
    """The NVRTC that can be found: the PyPI package's, a toolkit's, the system's."""
    for path in _candidates():
        try:
            for builtins in builtins_beside(path):
                ctypes.CDLL(builtins)
            found = ctypes.CDLL(path)
        except OSError:
            continue
        found.nvrtcGetErrorString.restype = ctypes.c_char_p
        return found
    return None


def version() -> str:
    """`13.0`; empty where there is no NVRTC."""
    found = library()
    if found is None:
        return ""
    major, minor = ctypes.c_int(), ctypes.c_int()
    found.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def compile_text(name: str, text: str, headers: Mapping[str, str], options: Sequence[str]) -> Compiled:
    """Compiles a text with its headers, all in memory. Raises ToolchainError where NVRTC itself fails."""
    found = library()
    if found is None:
        raise ToolchainError("NVRTC was not found", hint="pip install nvidia-cuda-nvrtc")
    program = ctypes.c_void_p()
    contents = (ctypes.c_char_p * len(headers))(*(t.encode() for t in headers.values()))
    names = (ctypes.c_char_p * len(headers))(*(n.encode() for n in headers))
    _check(found, found.nvrtcCreateProgram(ctypes.byref(program), text.encode(), name.encode(), len(headers), contents, names))
    try:
        arguments = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
        status = found.nvrtcCompileProgram(program, len(options), arguments)
        log = _bytes(found, "ProgramLog", program).rstrip(b"\0").decode(errors="replace").strip()
        if status != 0:
            return Compiled(b"", b"", log or _message(found, status))
        return Compiled(_bytes(found, "CUBIN", program), _bytes(found, "PTX", program).rstrip(b"\0"), log)
    finally:
        found.nvrtcDestroyProgram(ctypes.byref(program))


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


def _bytes(found: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    _check(found, getattr(found, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(found, getattr(found, f"nvrtcGet{what}")(program, buffer))
    return buffer.raw


def _check(found: ctypes.CDLL, status: int) -> None:
    if status != 0:
        raise ToolchainError(f"NVRTC failed: {_message(found, status)}")


def _message(found: ctypes.CDLL, status: int) -> str:
    text: bytes = found.nvrtcGetErrorString(status)
    return text.decode()

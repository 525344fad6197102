"""A vendor's compiler as a library in this process, through ctypes: NVRTC, and hiprtc, which has the same calls under another
prefix. Neither needs a device.

API: https://docs.nvidia.com/cuda/nvrtc, https://rocm.docs.amd.com/projects/HIP (HIP RTC).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uol.ir.errors import ToolchainError


@dataclass(frozen=True, slots=True)
class RuntimeCompiler:
    """An opened library, the prefix of its calls, and what it is called in messages."""

    library: ctypes.CDLL
    prefix: str
    name: str

    def version(self) -> str:
        """`13.0`."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("Version", ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def compile(
        self, name: str, text: str, headers: Mapping[str, str], options: Sequence[str], products: Sequence[str]
    ) -> tuple[dict[str, bytes], str]:
        """The products of a text with its headers, all in memory, and what the compiler said; no product where it refused the
        text. Raises ToolchainError where the compiler itself fails."""
        program = ctypes.c_void_p()
        contents, names = _strings(headers.values()), _strings(headers)
        self._call("CreateProgram", ctypes.byref(program), text.encode(), name.encode(), len(headers), contents, names)
        try:
            status = self._status("CompileProgram", program, len(options), _strings(options))
            log = self._bytes("ProgramLog", program).rstrip(b"\0").decode(errors="replace").strip()
            if status != 0:
                return {}, log or self._message(status)
            return {product: self._bytes(product, program) for product in products}, log
        finally:
            self._status("DestroyProgram", ctypes.byref(program))

    def _bytes(self, what: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"Get{what}", program, buffer)
        return buffer.raw

    def _call(self, call: str, *arguments: object) -> None:
        status = self._status(call, *arguments)
        if status != 0:
            raise ToolchainError(f"{self.name} failed: {self._message(status)}")

    def _status(self, call: str, *arguments: object) -> int:
        status: int = getattr(self.library, self.prefix + call)(*arguments)
        return status

    def _message(self, status: int) -> str:
        explain = getattr(self.library, f"{self.prefix}GetErrorString")
        explain.restype = ctypes.c_char_p
        text: bytes = explain(status)
        return text.decode()


def _strings(texts: Iterable[str]) -> ctypes.Array[ctypes.c_char_p]:
    encoded = [text.encode() for text in texts]
    return (ctypes.c_char_p * len(encoded))(*encoded)

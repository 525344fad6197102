"""The stub driver in this process, or beside another one.

    with opened("sm_80", "sm_90") as stub:
        driver = stub.source(SOURCE).open()

Another process finds it in `library_folder(path)`, which LD_LIBRARY_PATH names; UOL_STUB_DEVICES=sm_90,gfx942 says which
devices it has, UOL_STUB_FAILURES=cuMemAlloc_v2:2 which call fails once with which status, UOL_STUB_LOG=FILE where it records.
UOL_STUB_ANSWERS=FOLDER holds what kernels write, by `answer_name`: it is played back at their launches.
"""

from __future__ import annotations

import ctypes
import json
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from uol.backends.cache.disk_errors import build_folder
from uol.backends.cache.files import Key, open_cache
from uol.backends.simt.running.driver_api import DriverSource
from uol.backends.toolchain.running import run_tool
from uol.backends.toolchain.tool_identity import identity_of
from uol.codegen.backend import Kernel
from uol.ir.errors import MissingToolError, ToolchainError
from uol.ir.types import DTYPES

FOLDER = Path(__file__).parent
SOURCES = ("machine.cpp", "driver.cpp", "memory.cpp", "answers.cpp")
FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
NAMES = ("libcuda.so.1", "libamdhip64.so")
"""The names under which programs look for the vendors' drivers."""
GIB = 2**30

Record = dict[str, Any]
"""A call: its name under "call", what the driver answered under "status", and what it was given."""


@dataclass(frozen=True, slots=True)
class Stub:
    """The library of this process. `path` is its file."""

    path: Path
    library: ctypes.CDLL

    def source(self, real: DriverSource) -> DriverSource:
        """A vendor's driver, looked for here."""
        here = (str(self.path),)
        return replace(real, libraries=here, ranges=replace(real.ranges, libraries=here))

    def reset(self, *architectures: str) -> None:
        """A machine that has nothing but these devices: no memory, no module, no record, nothing that fails."""
        self.library.stub_forget_devices()
        for architecture in architectures:
            self.device(architecture)
        self.library.stub_recording(1)
        self.library.stub_clear()

    def device(
        self, architecture: str, *, name: str = "", cores: int = 108, memory_bytes: int = GIB, shared_bytes: int = 0
    ) -> None:
        """One device more, the last of its vendor's. `shared_bytes`: the most that a block may have, 0 for what is usual."""
        arguments = (architecture.encode(), (name or f"stub {architecture}").encode(), cores)
        self.library.stub_device(*arguments, ctypes.c_size_t(memory_bytes), shared_bytes)

    def fail(self, call: str, status: int, *, after: int = 0, times: int = 1) -> None:
        """Lets a call, by the name under which it is exported, answer a status, once it was made `after` times."""
        self.library.stub_fail(call.encode(), status, after, times)

    def tell(self, kernels: Sequence[Kernel]) -> None:
        """Lets launches of these kernels be recorded with their arguments, as bit patterns."""
        for kernel in kernels:
            sizes = [8 if p.kind == "buffer" else DTYPES[p.dtype].bytes for p in kernel.params]
            self.library.stub_parameters(kernel.name.encode(), (ctypes.c_int * len(sizes))(*sizes), ctypes.c_size_t(len(sizes)))

    def records(self, *calls: str) -> list[Record]:
        """What was recorded of these calls, or of all, in order."""
        size = self.library.stub_record(None, ctypes.c_size_t(0))
        text = ctypes.create_string_buffer(size)
        self.library.stub_record(text, ctypes.c_size_t(size))
        records: list[Record] = [json.loads(line) for line in text.raw.decode().splitlines()]
        return [each for each in records if not calls or each["call"] in calls]

    def clear(self) -> None:
        """Forgets what was recorded."""
        self.library.stub_clear()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within it nothing is recorded: what a record costs is not to be measured."""
        self.library.stub_recording(0)
        try:
            yield
        finally:
            self.library.stub_recording(1)

    def held_bytes(self, vendor: int, index: int = 0) -> int:
        """What is allocated on a device; `vendor` is 0 for CUDA, 1 for HIP."""
        held: int = self.library.stub_held_bytes(vendor, index)
        return held


@contextmanager
def opened(*architectures: str) -> Iterator[Stub]:
    """The stub with these devices, and with none afterwards."""
    stub = _stub()
    stub.reset(*architectures)
    try:
        yield stub
    finally:
        stub.reset()


@cache
def _stub() -> Stub:
    path = library()
    opened = ctypes.CDLL(str(path))
    opened.stub_record.restype = opened.stub_held_bytes.restype = ctypes.c_size_t
    return Stub(path, opened)


def library() -> Path:
    """The library, built unless the cache holds it. Raises ToolchainError where there is no C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise MissingToolError("no C++ compiler was found; the stub driver is C++", hint="install g++")
    texts = {name: (FOLDER / name).read_text() for name in (*SOURCES, "machine.h")}
    key = Key({"stage": "stub driver", "texts": texts, "compiler": identity_of(compiler), "machine": platform.machine()})
    cache = open_cache()
    return cache.materialise(key, ".so", cache.get_or_make(key, lambda: _built(compiler)))


def _built(compiler: str) -> bytes:
    with build_folder() as folder:
        result = folder / "stub.so"
        done = run_tool(compiler, [compiler, *FLAGS, "-o", str(result), *(str(FOLDER / name) for name in SOURCES)])
        if done.returncode:
            raise ToolchainError(f"{compiler} refused the stub driver: {done.stderr.strip()}", hint="install a newer g++")
        return result.read_bytes()


def library_folder(folder: Path) -> Path:
    """The folder, with the stub in it under the vendors' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).symlink_to(library())
    return folder


def answer_name(image: bytes, kernel: str, parameter: int) -> str:
    """The name of the file with what a kernel of a binary writes to where a parameter points to.

    >>> answer_name(b"", "relu_kernel", 1)
    'cbf29ce484222325-relu_kernel-1'
    """
    found = 0xCBF29CE484222325  # FNV-1a
    for byte in image:
        found = (found ^ byte) * 0x100000001B3 % 2**64
    return f"{found:016x}-{kernel}-{parameter}"

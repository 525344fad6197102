"""What a compiled kernel depends on besides its operator: the generator's sources, tool versions, the CPU, flags."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from uol.codegen.backend import Backend

_GENERATOR = ("uol.ir", "uol.codegen", "uol.backends")
_SOURCES = frozenset({".py", ".lark", ".j2", ".h", ".toml", ".c", ".cpp", ".inc"})
_NOT_GENERATOR = frozenset({"twin", "__pycache__"})
_TOOLS = ("apache-tvm", "apache-tvm-ffi", "lark", "jinja2", "numpy")
_FLAGS = ("TVM_NUM_THREADS", "UOL_NUM_THREADS", "UOL_CPU")


@cache
def generator_hash() -> str:
    """sha256 over every source that takes part in making a kernel; a change of one of them is a new key."""
    digest = hashlib.sha256()
    for name, file in sorted(generator_files()):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def backend_hash(backend: Backend) -> str:
    """sha256 of the file that defines a backend: counts for one that a program registers from elsewhere."""
    return _class_hash(type(backend))


@cache
def _class_hash(kind: type) -> str:
    source = inspect.getsourcefile(kind)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else kind.__qualname__


@cache
def tool_versions() -> dict[str, str]:
    """The packages that take part, by version: `{"apache-tvm": "0.27.0", ...}`, and uol itself."""
    versions = {"uol": _version("uol"), "python": platform.python_version()}
    return versions | {name: _version(name) for name in _TOOLS}


@cache
def cpu() -> str:
    """Model and instruction sets of this machine's CPU: a kernel built for AVX-512 must not run without."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = " ".join(sorted(named.get("flags", named.get("Features", "")).split()))
    return f"{platform.machine()} {named.get('model name', '')} {hashlib.sha256(flags.encode()).hexdigest()[:16]}"


def flags() -> dict[str, str]:
    """The environment variables that change what is generated, and the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cores": str(cores)} | {name: os.environ[name] for name in _FLAGS if name in os.environ}


def generator_files() -> Iterator[tuple[str, Path]]:
    """Names that do not depend on where the package lies, and files."""
    for file in Path(__file__).parent.glob("*.py"):
        yield f"uol/{file.name}", file
    for package in _GENERATOR:
        spec = find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            for file in Path(root).rglob("*"):
                inside = file.relative_to(root)
                if file.suffix in _SOURCES and not _NOT_GENERATOR & set(inside.parts):
                    yield f"{package}/{inside}", file


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"

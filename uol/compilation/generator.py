"""What kernels are made with: sources and versions, as hashes and names that stand in keys and manifests."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from uol.backends.cache.files import PACKAGES, hash_of, package_files
from uol.codegen.backend import Backend

NO_PART: Mapping[str, str] = {
    "uol/cli": "it asks for kernels; what it asks for is the request",
    "uol/pytorch": "it asks for kernels; what it asks for is the request",
    "uol/ops": "what a kernel takes of it, the operator's text and those that it calls, stands in the key",
    "uol/conformance": "it looks at kernels that are made",
    "uol/backends/twin": "it runs texts that are made; its executables have keys of their own",
}
"""Folders of the package that take no part in making a kernel, and why. All others do, with every file."""
_TOOLS = ("lark", "jinja2", "numpy")
_BUILDS = ("apache-tvm", "apache-tvm-ffi")


@cache
def generator_hash() -> str:
    """sha256 over every source that takes part in making a kernel; a change of one of them is a new key."""
    return hash_of(generator_files())


def generator_files() -> Iterator[tuple[str, Path]]:
    """Names that do not depend on where the package lies, and files: all of the package but those of `NO_PART`."""
    for name, file in package_files(*PACKAGES):
        if not any(name.startswith(f"{folder}/") for folder in NO_PART):
            yield name, file


def backend_hash(backend: Backend) -> str:
    """sha256 of the file that defines a backend: counts for one that a program registers from elsewhere."""
    return _class_hash(type(backend))


@cache
def _class_hash(kind: type) -> str:
    source = inspect.getsourcefile(kind)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else kind.__qualname__


@cache
def tool_versions() -> dict[str, str]:
    """The packages that take part, by version: `{"apache-tvm": "0.27.0 5f3a90c2b1d7e846", ...}`, and uol itself. The digits
    tell builds of one version apart: they are of the list of the package's files with their hashes. LLVM is in TVM's."""
    versions = {"uol": _version("uol"), "python": platform.python_version()}
    return versions | {name: _version(name) for name in _TOOLS} | {name: _build(name) for name in _BUILDS}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _build(name: str) -> str:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return "absent"
    files = (found.read_text("RECORD") or "").splitlines()
    hashed = sorted(line for line in files if ",sha256=" in line)  # the others came after the installation
    digest = hashlib.sha256("\n".join(hashed).encode()).hexdigest()
    return f"{found.version} {digest[:16]}"

"""What is asked of the compiler: an operator at fixed types and dims (some may be open), for a target, with its tensors laid
out so. The key of a request holds all of it, and what the answer depends on besides: the generator's sources, and the versions
of what it is made with."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

from uol.backends import registry
from uol.backends.cache.files import PACKAGES, Key, hash_of, package_files
from uol.binding.argument_checks import nearest
from uol.binding.instance import Instance
from uol.codegen.backend import Backend, Device
from uol.codegen.choice import FIRST_THAT_FITS, Policy
from uol.ir.checker.attributes import compile_time
from uol.ir.errors import UolError
from uol.ir.syntax.printer import print_op
from uol.operators.registry import callees

Strides = tuple[int, ...]
Stage = Literal["module", "binary"]
BINARY: Stage = "binary"

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


@dataclass(frozen=True, slots=True)
class Target:
    """A backend and one of its devices."""

    backend: Backend
    device: Device

    @property
    def name(self) -> str:
        return f"{self.backend.name}:{self.device.name}"


def resolve_target(text: str) -> Target:
    """`"hip:mi250x"` -> the backend and the device; `"hip"` -> the backend's default device.

    Raises UolError, with what there is, for any other text.
    """
    backend_name, colon, device_name = text.strip().partition(":")
    if backend_name not in registry.names():
        there = f"the targets are {', '.join(registry.names())}; a module that registers another is named by --import"
        hint = nearest(backend_name, registry.names()) or there
        raise UolError(f"unknown target {backend_name!r}", hint=hint)
    backend = registry.get(backend_name)
    if not colon:
        return Target(backend, backend.devices[backend.default_device])
    if device_name not in backend.devices:
        known = ", ".join(f"{backend_name}:{name}" for name in backend.devices)
        raise UolError(f"target {backend_name!r} has no device {device_name!r}", hint=f"its devices are {known}")
    return Target(backend, backend.devices[device_name])


def resolve_targets(text: str) -> tuple[Target, ...]:
    """A comma-separated list of targets, in order, each once."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UolError("no target given", hint=f"the targets are {', '.join(registry.names())}")
    return tuple(resolve_target(name) for name in names)


@dataclass(frozen=True, slots=True)
class Request:
    """`layouts` gives element strides of inputs and results by name; a tensor that is not named is row-major. Dims that are
    open in the instance are arguments of the kernels. `policy` chooses their schedules."""

    instance: Instance
    target: Target
    layouts: Mapping[str, Strides] = field(default_factory=dict)
    policy: Policy = FIRST_THAT_FITS

    def key(self, stage: Stage) -> Key:
        """The cache key of one stage ("module": the text; "binary": what the target's compiler made of it).

        Attributes that are used as values alone are arguments of a kernel and take no part; nor does anything that a kernel
        cannot depend on.
        """
        instance, target = self.instance, self.target
        tools = {"build tools": dict(target.backend.build_tools())} if stage == BINARY else {}
        return Key(
            {
                "stage": stage,
                "op": print_op(instance.op),
                "callees": [print_op(op) for op in callees(instance.op)],
                "types": dict(instance.types),
                "dims": self.dims,
                "ranks": instance.ranks,
                "attributes": self.compile_time_attributes,
                "layouts": {name: list(strides) for name, strides in self.layouts.items()},
                "target": target.name,
                "schedule": self.policy.key,
                "generator": generator_hash(),
                "backend": backend_hash(target.backend),
                "tools": tool_versions(),
                "machine": dict(target.backend.machine()),
                **tools,
            }
        )

    @property
    def dims(self) -> dict[str, int]:
        """The dims that kernels are made for."""
        return self.instance.flat_dims

    @property
    def compile_time_attributes(self) -> dict[str, int]:
        """Those that dims, indices and bounds are made of (rule 16); all others are arguments of a kernel."""
        fixed = compile_time(self.instance.op)
        return {name: int(value) for name, value in self.instance.attrs.items() if name in fixed}


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

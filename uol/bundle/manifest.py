"""`manifest.json` of a bundle: what it is, how it was made, and what is known about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from uol.backends import registry
from uol.backends.abi.interface import symbolic_layout
from uol.bundle.selftest import content_hash
from uol.codegen.backend import Backend, Kernel, Module
from uol.codegen.extensions import HostBackend
from uol.codegen.specs.expression_text import size_json
from uol.codegen.specs.nodes import Contract, Scatter
from uol.compilation.explain import Json, arg_json, kernel_json
from uol.compilation.generator import backend_hash, tool_versions
from uol.compilation.generator import generator_hash as kernels_hash
from uol.compilation.request import Target
from uol.ir.syntax.printer import print_op
from uol.json_text import finite_json, json_text
from uol.operators.registry import callees

if TYPE_CHECKING:
    from uol.compiler import Compiled

FORMAT = 6
"""Counts up when a field comes, goes or changes its meaning."""


def manifest(compiled: Compiled, files: Mapping[str, str], binaries: list[str], compiler: str, conformance: object) -> Json:
    """The manifest as JSON. `files` holds the sha256 of each file; `binaries` names those that `compiler` made, which is null
    where it was missing; `conformance` is the result of a run, or None.

    The same request and the same generator give the same manifest: it holds no time and no path. A size that is open is null;
    what depends on it is an expression. `content_hash` is over all other fields.
    """
    request, module = compiled.request, compiled.module
    instance = request.instance
    _, workspace_bytes = symbolic_layout(module.graph)
    record: Json = {
        "format": FORMAT,
        "op": instance.op.name,
        "symbol": module.graph.name,
        "text": print_op(instance.op),
        "callees": [print_op(op) for op in callees(instance.op)],
        "target": request.target.name,
        "architecture": request.target.device.architecture,
        "environment": environment_of(request.target),
        "types": dict(instance.types),
        "dims": dict(instance.dims),
        "packs": {name: None if sizes is None else list(sizes) for name, sizes in instance.packs.items()},
        "attributes": dict(instance.attrs),
        "layouts": {name: list(strides) for name, strides in request.layouts.items()},
        "deterministic": is_deterministic(module),
        "tf32": is_in_tf32(module),
        "schedule": list(request.policy.given(module)),
        "arguments": [arg_json(a) for a in module.graph.args],
        "run_time_attributes": [{"name": s.name, "dtype": s.dtype} for s in module.graph.scalars],
        "workspaces": [arg_json(a) for a in module.graph.workspaces],
        "workspace_bytes": size_json(workspace_bytes),
        "kernels": [launch_json(k) for k in module.kernels],
        "build": module.build,
        "binaries": binaries,
        "compiler": compiler or None,
        "files": dict(sorted(files.items())),
        "generator": generator_hash(request.target.backend),
        "tools": tool_versions(),
        "conformance": conformance,
    }
    return sealed(record)


def is_deterministic(module: Module) -> bool:
    """Do its kernels give the same numbers from run to run? Not where a Scatter adds in any order."""
    unordered = registry.get(module.backend).capability.unordered
    return not any(isinstance(spec, Scatter) and spec.add.dtype in unordered for spec in module.graph.specs)


def is_in_tf32(module: Module) -> bool:
    """May products of f32 be of rounded factors?"""
    return any(isinstance(spec, Contract) and spec.tf32 for spec in module.graph.specs)


def sealed(record: Mapping[str, object]) -> Json:
    """The record as JSON holds it, with its hash."""
    fields = finite_json(dict(record))
    assert isinstance(fields, dict)
    return fields | {"content_hash": content_hash(fields)}


def manifest_text(record: Mapping[str, object]) -> str:
    return json_text(record) + "\n"


def launch_json(kernel: Kernel) -> Json:
    """What a launch takes: a kernel as `explain` shows it, and its parameters in order."""
    parameters = [{"name": p.name, "kind": p.kind, "dtype": p.dtype, "writes": p.writes} for p in kernel.params]
    return kernel_json(kernel) | {"parameters": parameters}


def environment_of(target: Target) -> dict[str, str]:
    """The variables under which another machine generates the same text."""
    backend = target.backend
    if not isinstance(backend, HostBackend):
        return {}
    return dict(backend.environment(target.device))


def generator_hash(backend: Backend) -> str:
    """sha256 over the sources that make a bundle: those that make its kernels, and this package."""
    parts = (kernels_hash(), backend_hash(backend), _package_hash())
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@cache
def _package_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()

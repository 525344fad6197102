"""The module that a bundle ships, where its kernels are not those that uol generates: edited by hand, or of another version.

The C interface is the operator's, which does not change; kernels, their launches and the buffers between them are what the
manifest says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from uol.bundle.manifest import launch_json
from uol.bundle.regenerate import NOT_OF_THIS_FORM, not_of_this_form
from uol.codegen.backend import Footprint, Kernel, Launch, Module, Param, SourceFile
from uol.codegen.extensions import HostBackend
from uol.codegen.specs.nodes import Arg
from uol.compilation.explain import Json, arg_json
from uol.ir.errors import UolError
from uol.ir.program.nodes import Const
from uol.ir.types import DTYPES, INDEX
from uol.json_text import finite_json

if TYPE_CHECKING:
    from uol.compiler import Compiled


def kernels_file(compiled: Compiled) -> str:
    """The file of a bundle that is built and run."""
    backend, module = compiled.request.target.backend, compiled.module
    return backend.kernels_file(module) if isinstance(backend, HostBackend) else module.device.name


def has_own_launches(compiled: Compiled, record: Json) -> bool:
    """Does the manifest name other launches, or other buffers between them, than those of the kernels that are generated?"""
    module = compiled.module
    own = {"kernels": map(launch_json, module.kernels), "workspaces": map(arg_json, module.graph.workspaces)}
    return any(record.get(name) != finite_json(list(each)) for name, each in own.items())


def shipped_module(compiled: Compiled, record: Json, texts: Mapping[str, bytes]) -> Module:
    """The module with the texts of the bundle, in the place of those of the same names, and the manifest's launches.

    Raises UolError for launches that cannot be.
    """
    module = compiled.module
    try:
        workspaces = _workspaces(module, cast(Any, record["workspaces"]))
        kernels = _kernels(module, cast(Any, record["kernels"]))
    except NOT_OF_THIS_FORM as error:
        raise not_of_this_form(error) from error
    graph = replace(module.graph, workspaces=workspaces)
    device, host = _with_text(module.device, texts), tuple(_with_text(file, texts) for file in module.host)
    return replace(module, graph=graph, kernels=kernels, device=device, host=host)


def launcher_texts(compiled: Compiled, module: Module) -> dict[str, bytes]:
    """The host texts that uol writes for the launches of a shipped module."""
    target = compiled.request.target
    if module.kernels is compiled.module.kernels or isinstance(target.backend, HostBackend):
        return {}
    assembled = target.backend.assemble(module.graph, module.kernels, target.device)
    return {file.name: file.text.encode() for file in assembled.host}


def _kernels(module: Module, records: Sequence[Mapping[str, Any]]) -> tuple[Kernel, ...]:
    """Those of the module where they are the same."""
    if list(records) == finite_json([launch_json(kernel) for kernel in module.kernels]):
        return module.kernels
    return tuple(_kernel(module, record) for record in records)


def _kernel(module: Module, record: Mapping[str, Any]) -> Kernel:
    own = next((k for k in module.kernels if k.name == record["name"]), module.kernels[0])
    params = tuple(_param(each) for each in record["parameters"])
    launch = Launch(
        _three(record["grid"]), _three(record["block"]), _whole(record["shared_bytes"]), _text(record["core"])
    )
    footprint = Footprint(dict(record["buffers_bytes"]))
    return replace(own, name=_name(record["name"]), params=params, launch=launch, footprint=footprint)


def _param(record: Mapping[str, Any]) -> Param:
    if record["kind"] not in ("buffer", "scalar", "dim") or not isinstance(record["writes"], bool):
        raise ValueError(f"a parameter {record!r}")
    return Param(_name(record["name"]), record["kind"], _dtype(record["dtype"]), record["writes"])


def _workspaces(module: Module, records: Sequence[Mapping[str, Any]]) -> tuple[Arg, ...]:
    """Those of the module where they are the same; else every size of them is a number."""
    if list(records) == [arg_json(arg) for arg in module.graph.workspaces]:
        return module.graph.workspaces
    if any(isinstance(size, str) for record in records for size in (*record["shape"], *record["strides"])):
        raise UolError("the buffers between its kernels have open sizes, and are not this version's")
    return tuple(
        Arg(_name(r["name"]), _dtype(r["dtype"]), _sizes(r["shape"]), _sizes(r["strides"]), "workspace") for r in records
    )


def _sizes(sizes: Sequence[int]) -> tuple[Const, ...]:
    return tuple(Const(_whole(size), INDEX) for size in sizes)


def _with_text(file: SourceFile, texts: Mapping[str, bytes]) -> SourceFile:
    return SourceFile(file.name, texts[file.name].decode("utf-8")) if file.name in texts else file


def _three(axes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (_whole(axis) for axis in axes)
    return (x, y, z)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{value!r} is no size")
    return value


def _name(value: object) -> str:
    """A name, which goes into texts."""
    if not isinstance(value, str) or not value.isascii() or not value.isidentifier():
        raise ValueError(f"{value!r} is no name")
    return value


def _dtype(value: object) -> str:
    if not isinstance(value, str) or value not in DTYPES:
        raise ValueError(f"{value!r} is no type of an element")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value

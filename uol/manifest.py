"""`manifest.json` of a bundle: what it is, how it was made, and what is known about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from uol import fingerprint
from uol.backends.abi.workspace import symbolic_layout
from uol.catalogue import callees
from uol.explain import Json, arg_json, kernel_json
from uol.ir.printer import print_op
from uol.static_sizes import size_json

if TYPE_CHECKING:
    from uol.compiler import Compiled

__all__ = ["Json", "manifest"]

FORMAT = 1


def manifest(compiled: Compiled, files: Mapping[str, str], conformance: Json | None, binaries: Sequence[str]) -> Json:
    """The manifest as JSON. `files` holds the sha256 of each file, the content hash is over all of them; `binaries` names
    those that the target's compiler made.

    The same request and the same generator give the same manifest: it holds no time and no path. A size that is open is null;
    what depends on it is an expression.
    """
    request, module = compiled.request, compiled.module
    instance = request.instance
    _, workspace_bytes = symbolic_layout(module.graph.workspaces)
    return {
        "format": FORMAT,
        "op": module.graph.name,
        "text": print_op(instance.op),
        "callees": [print_op(op) for op in callees(instance.op)],
        "target": request.target.name,
        "architecture": request.target.device.architecture,
        "types": dict(instance.types),
        "dims": dict(instance.dims),
        "packs": {name: None if sizes is None else list(sizes) for name, sizes in instance.packs.items()},
        "attributes": dict(instance.attrs),
        "layouts": {name: list(strides) for name, strides in request.layouts.items()},
        "arguments": [arg_json(a) for a in module.graph.args],
        "run_time_attributes": [{"name": s.name, "dtype": s.dtype} for s in module.graph.scalars],
        "workspace_bytes": size_json(workspace_bytes),
        "kernels": [kernel_json(k) for k in module.kernels],
        "build": module.build,
        "binaries": list(binaries),
        "files": dict(files),
        "content_hash": hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(),
        "generator": fingerprint.generator_hash(),
        "tools": fingerprint.tool_versions(),
        "conformance": conformance,
    }

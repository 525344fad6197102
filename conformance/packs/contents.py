"""What travels of one case: its entry in pack.json, its arrays, its binaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from uol.backends.abi.interface import workspace_layout
from uol.codegen.backend import Artifact, Kernel
from uol.codegen.indexing.arithmetic import value_at
from uol.compilation.pipeline import artifact_of
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.packs.cases import Subject
from uol.conformance.packs.compact import form_of, stored
from uol.conformance.packs.owed import owed_of
from uol.conformance.packs.references import torch_call
from uol.conformance.packs.roofline import roofline_of
from uol.conformance.packs.runner.judge import Owed
from uol.conformance.packs.runner.numbers import STORAGE
from uol.ir.errors import UolError

NATIVE, PORTABLE = "native", "portable"
"""What a binary is for: the pack's architecture alone, or later ones, too, whose driver compiles it."""


@dataclass(frozen=True, slots=True)
class Packed:
    """`binaries`: the content of each kind, with the suffix of its file; `files`: texts that the pack needs for it;
    `compiler`: what made the binaries."""

    entry: Mapping[str, object]
    arrays: Mapping[str, Array]
    binaries: Mapping[str, tuple[str, bytes]]
    files: Mapping[str, str]
    compiler: str


def packed(subject: Subject) -> Packed:
    """A case, built and judged. Raises what the compiler raises, RefusalError where the target has no kernel for it."""
    prepared = subject.prepared()
    _require_storable(prepared)
    request, module = prepared.compiled.request, prepared.compiled.module
    owed = owed_of(prepared, subject.truth(prepared))
    artifact = artifact_of(request, module)
    call = torch_call(subject, prepared)
    case = prepared.case
    entry = {
        "name": subject.name,
        "op": case.op,
        "dtype": case.dtype,
        "workload": str(case.workload),
        "inputs": case.inputs,
        "arrangement": case.arrangement,
        "seed": case.seed,
        "tensors": list(_tensors(prepared, owed)),
        "scalars": dict(prepared.scalars),
        "workspaces": dict(workspace_layout(module.graph).offsets),
        "workspace_bytes": workspace_layout(module.graph).bytes,
        "kernels": [_launch(kernel, prepared.scalars) for kernel in module.kernels],
        "roofline": roofline_of(prepared.program, module.graph, request.target.device).record(),
        "torch": call.form,
    }
    own = {f"torch.{name}": given.array for name, given in call.arrays.items()}
    arrays = {**dict(_arrays(prepared, owed)), **own}
    return Packed(entry, arrays, dict(_binaries(artifact)), call.files, artifact.compiler)


def _require_storable(prepared: Prepared) -> None:
    """Raises UolError for a type that the runner does not know."""
    for tensor in prepared.program.tensors.values():
        if tensor.role in ("in", "out") and tensor.dtype not in STORAGE:
            raise UolError(f"{tensor.name} is of {tensor.dtype}, which packs do not hold")


def _tensors(prepared: Prepared, owed: list[Owed]) -> Iterator[dict[str, object]]:
    """In the order of the operator's signature."""
    judged = {each.name: each for each in owed}
    for arg in prepared.compiled.module.graph.args:
        shape, strides = ([int(value_at(each, {})) for each in part] for part in (arg.shape, arg.strides))
        role = "in" if arg.role == "in" else "out"
        form: dict[str, object] = {"name": arg.name, "role": role, "dtype": arg.dtype, "shape": shape, "strides": strides}
        if arg.role != "in":
            form["owed"] = form_of(judged[arg.name])
        yield form


def _arrays(prepared: Prepared, owed: list[Owed]) -> Iterator[tuple[str, Array]]:
    for name, buffer in prepared.buffers.items():
        yield f"in.{name}", np.ascontiguousarray(buffer).reshape(buffer.shape)
    for each in owed:
        yield from stored(each)


def _launch(kernel: Kernel, scalars: Mapping[str, float]) -> dict[str, object]:
    kinds = [("pointer" if p.kind == "buffer" else p.dtype, p.name) for p in kernel.params]
    return {
        "symbol": kernel.name,
        "grid": list(kernel.launch.blocks(scalars)),
        "block": list(kernel.launch.block),
        "shared_bytes": kernel.launch.shared_bytes,
        "parameters": [list(each) for each in kinds],
    }


def _binaries(artifact: Artifact) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """The binary, and what the compiler made beside it for cards that come later."""
    suffixes = {content: "." + name.rpartition(".")[2] for name, content in artifact.files.items()}
    yield NATIVE, (suffixes.get(artifact.binary, ".bin"), artifact.binary)
    for content, suffix in suffixes.items():
        if content != artifact.binary:
            yield PORTABLE, (suffix, content)

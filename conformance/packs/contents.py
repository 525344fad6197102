"""What travels of one case: its entry in pack.json, its arrays, its binaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from uol.backends.abi.interface import workspace_layout
from uol.codegen.indexing.arithmetic import value_at
from uol.compilation.pipeline import artifact_of
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.packs.cases import Subject
from uol.conformance.packs.compact import form_of, stored
from uol.conformance.packs.drawn.contents import held_of
from uol.conformance.packs.held import Binaries, Draws, Held, binaries_of, launch_of
from uol.conformance.packs.owed import owed_of
from uol.conformance.packs.prediction import prediction_of
from uol.conformance.packs.references import torch_call
from uol.conformance.packs.roofline import roofline_of
from uol.conformance.packs.runner.judge import Owed
from uol.conformance.packs.runner.numbers import STORAGE
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Packed:
    """`draws`: by input, what launches the kernel that draws it, and its binaries; `files`: texts that the pack needs for the
    case; `compiler`: what made the binaries."""

    entry: Mapping[str, object]
    arrays: Mapping[str, Array]
    binaries: Binaries
    draws: Draws
    files: Mapping[str, str]
    compiler: str


def packed(subject: Subject) -> Packed:
    """A case, built and judged. Raises what the compiler raises, RefusalError where the target has no kernel for it."""
    if subject.whole is not None:
        whole = subject.whole()
        return _packed(subject, whole.prepared, held_of(whole))
    prepared = subject.prepared()
    inputs = {f"in.{name}": np.ascontiguousarray(b).reshape(b.shape) for name, b in prepared.buffers.items()}
    return _packed(subject, prepared, Held(owed_of(prepared, subject.truth(prepared)), inputs, {}))


def _packed(subject: Subject, prepared: Prepared, held: Held) -> Packed:
    _require_storable(prepared)
    request, module = prepared.compiled.request, prepared.compiled.module
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
        "tensors": list(_tensors(prepared, held.owed)),
        "scalars": dict(prepared.scalars),
        "workspaces": dict(workspace_layout(module.graph).offsets),
        "workspace_bytes": workspace_layout(module.graph).bytes,
        "kernels": [launch_of(kernel, prepared.scalars) for kernel in module.kernels],
        "roofline": roofline_of(prepared.program, module.graph, request.target.device).record(),
        "prediction": prediction_of(module, request.target, subject.routing).record(),
        "torch": call.form,
    }
    own = {f"torch.{name}": given.array for name, given in call.arrays.items()}
    owed = {name: array for each in held.owed for name, array in stored(each)}
    arrays = {**held.arrays, **owed, **own}
    return Packed(entry, arrays, dict(binaries_of(artifact)), held.draws, call.files, artifact.compiler)


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

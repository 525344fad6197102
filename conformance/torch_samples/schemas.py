"""The forms in which PyTorch declares a function (its schemas), each with the samples that it takes.

sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

Sample = Any


def schemas_of(name: str) -> Iterator[Any]:
    """The overloads of a function of `torch` that give new tensors, and name no dims by words."""
    packet = getattr(torch.ops.aten, name, None)
    if packet is None or not hasattr(torch, name) or hasattr(torch.nn.functional, name):
        return  # functions of `nn.functional` have arguments of their own
    for overload in packet.overloads():
        form = getattr(packet, overload)
        kinds = [str(a.type) for a in form._schema.arguments]
        gives = [str(r.type) for r in form._schema.returns]
        if not form._schema.is_mutable and "Tensor" in gives and not any("Dimname" in kind for kind in kinds):
            yield form


def by_name(form: Any, sample: Sample) -> dict[str, Any] | None:
    """The arguments of a sample by the names of a schema, None where they are not its own."""
    in_places = [a.name for a in form._schema.arguments if not a.kwarg_only]
    given = (sample.input, *sample.args)
    names = dict(zip(in_places, given, strict=False)) | sample.kwargs
    known = {a.name for a in form._schema.arguments}
    if len(names) < len(given) + len(sample.kwargs) or set(names) - known or not _fit(form, names):
        return None
    try:
        form(**_listed(form, names))
    except Exception:
        return None
    return {"input" if name == "self" else name: value for name, value in names.items()}


def _listed(form: Any, names: dict[str, Any]) -> dict[str, Any]:
    """A number in the place of a list is a list of it: PyTorch's functions take both, its core the latter."""
    kinds = {a.name: str(a.type) for a in form._schema.arguments}
    return {name: [value] if isinstance(value, int) and "List[int]" in kinds[name] else value for name, value in names.items()}


def _fit(form: Any, names: dict[str, Any]) -> bool:
    """Are there tensors where the schema has tensors, truth values where it has those, and types? PyTorch's core would take a
    number for each."""
    for argument in form._schema.arguments:
        value, kind = names.get(argument.name), str(argument.type)
        if value is None:
            continue
        if ("Tensor" in kind) != _has_tensors(value) or isinstance(value, bool) and "bool" not in kind:
            return False
        if argument.name == "dtype" and not isinstance(value, torch.dtype):
            return False
    return True


def _has_tensors(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(isinstance(each, torch.Tensor) for each in value)
    return isinstance(value, torch.Tensor)

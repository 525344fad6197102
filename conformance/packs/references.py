"""PyTorch's call for a case, as text that travels: the files of `ops/references` that hold it, which need PyTorch alone.

    texts that name each other by `uol.ops.references.X` name each other by `references.X` in a pack
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from uol.conformance.accuracy.interval import Array
from uol.conformance.bench import eager
from uol.conformance.cases.twin_check import Prepared
from uol.conformance.packs.cases import Given, Subject
from uol.ir.errors import UolError
from uol.ir.types import is_float
from uol.ops.references.gradients import forward_of
from uol.ops.texts import family_of

ROOM = "uol.ops.references"
FOLDER = "references"
EAGER = "eager"


@dataclass(frozen=True, slots=True)
class TorchCall:
    """`form` is what the runner reads: where the function is and what it takes, or why there is none. `files` are the texts
    that it needs, by name in the pack; `arrays` what it takes beside the case's own inputs."""

    form: Mapping[str, object]
    files: Mapping[str, str]
    arrays: Mapping[str, Given]


def torch_call(subject: Subject, prepared: Prepared) -> TorchCall:
    """What PyTorch is asked beside a case."""
    if subject.whole is not None and forward_of(prepared.case.op) is not None:
        return TorchCall({"reason": "PyTorch's gradient takes inputs of the forward, which are not drawn"}, {}, {})
    try:
        module, table, function = _function(subject, prepared)
    except UolError as error:
        return TorchCall({"reason": error.message}, {}, {})
    own = {} if subject.forward is None else subject.forward(prepared)
    inputs, forward = _inputs(prepared, own), forward_of(prepared.case.op)
    form: dict[str, object] = {
        "module": f"{FOLDER}.{module}",
        "table": table,
        "name": subject.operator,
        "forms": list(eager.FORMS.get(subject.operator, ())) if module == EAGER else [],
        "attributes": dict(subject.given),
        "inputs": inputs,
        "cotangents": _cotangents(prepared) if own else {},
        "wrt": [name for name in own if f"d{name}" in {t.name for t in prepared.program.by_role("out")}],
        "results": [] if forward is None else [r.name for r in forward.results],
    }
    return TorchCall(form, dict(_closure(module)), {name: own[name] for name, each in inputs.items() if each["own"]})


def _function(subject: Subject, prepared: Prepared) -> tuple[str, str, Callable[..., object]]:
    """The module, the table in it and the function: what one writes in PyTorch, where every value that its inputs may have is
    one that PyTorch takes, as those of a case whose inputs are drawn are; else the reference, which also takes indices out of
    range."""
    name, family = subject.operator, family_of(subject.operator)
    if family is None:
        raise UolError(f"{name} has no reference whose text travels with a pack")
    table: Mapping[str, Callable[..., object]] = import_module(f"{ROOM}.{family}").REFERENCES
    with_integers = not all(is_float(t.dtype) for t in prepared.program.by_role("in"))
    written, in_range = eager.EAGER.get(name), subject.whole is not None or not with_integers
    if written is not None and in_range and _takes(written, subject):
        return EAGER, "EAGER", written
    return family, "REFERENCES", table[name]


def _takes(function: Callable[..., object], subject: Subject) -> bool:
    """Does a function take the attributes of the case by their names?"""
    try:
        inspect.signature(function).bind_partial(**subject.given)
    except TypeError:
        return False
    return True


def _inputs(prepared: Prepared, own: Mapping[str, Given]) -> dict[str, dict[str, object]]:
    """The tensors of the call in order: the case's inputs; of a gradient the forward's, then the cotangents."""
    layouts = prepared.compiled.module.graph.args
    held = {a.name: a for a in layouts if a.role == "in"}
    found: dict[str, dict[str, object]] = {}
    for name, given in own.items():
        differs = name not in prepared.buffers or not _same(prepared.buffers[name], given.array)
        found[name] = {"own": differs, "dtype": given.dtype, "shape": list(given.array.shape), "strides": list(given.strides)}
    wanted = set(_cotangents(prepared).values()) if own else held.keys()
    for name, arg in held.items():
        if name in wanted:
            shape = prepared.buffers[name].shape
            strides = [s // prepared.buffers[name].itemsize for s in prepared.buffers[name].strides]
            found[name] = {"own": False, "dtype": arg.dtype, "shape": list(shape), "strides": strides}
    return found


def _same(one: Array, other: Array) -> bool:
    """To the bit, whatever the strides."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _cotangents(prepared: Prepared) -> dict[str, str]:
    """The inputs of a gradient that are cotangents, by the results that they are of."""
    forward = forward_of(prepared.case.op)
    names = {t.name for t in prepared.program.by_role("in")}
    return {} if forward is None else {r.name: f"d{r.name}" for r in forward.results if f"d{r.name}" in names}


@cache
def _closure(module: str) -> tuple[tuple[str, str], ...]:
    """A module of references and those that it imports, by their files in a pack."""
    found: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        file = f"{FOLDER}/{name}.py"
        if file not in found:
            text = Path(_source(name)).read_text(encoding="utf-8")
            pending += _imported(text)
            found[file] = text.replace(f"{ROOM}.", f"{FOLDER}.")
    return (*found.items(), (f"{FOLDER}/__init__.py", '"""PyTorch\'s calls of the operators."""\n'))


def _source(name: str) -> str:
    module = eager if name == EAGER else import_module(f"{ROOM}.{name}")
    assert module.__file__ is not None
    return module.__file__


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{ROOM}."):
            yield (node.module or "").removeprefix(f"{ROOM}.")

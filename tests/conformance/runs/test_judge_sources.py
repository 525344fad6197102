"""What judges a case is listed whole: what it imports is in `JUDGE`, or is here with the reason why it decides nothing."""

from __future__ import annotations

import ast

import pytest
from test_house import MODULES, needed

from uol.conformance.runs.keys import JUDGE, RUN, _files

JUDGES = (
    *("uol.conformance.cases.truth", "uol.conformance.cases.guard_pages", "uol.conformance.cases.agreement"),
    *("uol.conformance.accuracy.comparison", "uol.conformance.gradients.cases", "uol.ops.references.gradients"),
    *("uol.backends.cpu.oracle.oracle", "uol.backends.twin.run", "uol.backends.twin.ascend_kind"),
)
DECIDES_NOTHING = {
    "uol.compilation": "it makes what is judged",
    "uol.operators": "it finds the text, which is in the program",
    "uol.binding": "it makes the instance, which is in the program, and the buffers, which are hashed",
    "uol.backends.registry": "it finds backends by name",
    "uol.backends.cache": "it keeps what is made",
    "uol.backends.cpu": "beside the oracle it makes texts; the rest of it schedules",
    "uol.backends.abi": "interfaces of bundles",
    "uol.backends.c_text": "it makes texts",
    "uol.codegen": "it makes specs, which are hashed; what reads them is in the list",
    "uol.ir": "it makes programs, which are hashed; what evaluates them is in the list",
    "uol.ops": "it makes inputs, which are hashed, and texts",
    "uol.conformance.runs": "it keeps results",
}


def closure() -> set[str]:
    """The judges and what they import, up to what decides nothing on its own."""
    ends = ("uol.compilation", "uol.operators", "uol.binding", "uol.backends.registry", "uol.backends.cache")
    found: set[str] = set()
    pending = list(JUDGES)
    while pending:
        name = pending.pop()
        if name not in found and not name.startswith(ends):
            found.add(name)
            pending += needed(ast.parse(MODULES[name].read_text()))
    return found


def listed(name: str) -> bool:
    """Is a module in the list, by itself or in a folder of it?"""
    path = name.replace(".", "/")
    return any(f"{path}.py" == each or f"{path}/".startswith(each) or f"{path}.py".startswith(each) for each in JUDGE)


def test_what_the_judges_import_is_listed_or_decides_nothing() -> None:
    reached = closure()
    assert {"uol.conformance.accuracy.interval", "uol.ir.program.evaluation", "uol.backends.cpu.oracle.primfunc"} <= reached
    strangers = {name for name in reached if not listed(name) and not name.startswith(tuple(DECIDES_NOTHING))}
    assert not strangers


@pytest.mark.parametrize("name", JUDGE)
def test_what_is_listed_is_there(name: str) -> None:
    assert any(file.startswith(name) for file, _ in _files()), "a file or folder of the package by that name"


def test_every_source_of_a_run_is_there() -> None:
    assert all(any(file.startswith(part) for file, _ in _files()) for part in RUN)

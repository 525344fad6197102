"""The examples of the docstrings run, and give what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ir", "codegen", "backends", "ops", "conformance", "uol")
EXAMPLE = ">>> "
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_of(path: Path) -> str:
    """`ir/types.py` -> `uol.ir.types`."""
    parts = [part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    return ".".join(parts if parts[0] == "uol" else ["uol", *parts])


MODULES = sorted(
    module_of(path) for package in PACKAGES for path in (ROOT / package).rglob("*.py") if EXAMPLE in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_give_what_they_show(name: str) -> None:
    module = import_module(name)
    found = [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]
    shown = Path(module.__file__ or "").read_text("utf-8").count(EXAMPLE)
    assert sum(len(test.examples) for test in found) == shown, (
        "an example stands where it is not found, as in a property's body"
    )
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in found:
        runner.run(test, out=said.append)
    assert not runner.summarize(verbose=False).failed, "".join(said)


def test_there_are_examples_on_every_floor() -> None:
    assert {name.split(".")[1] for name in MODULES} >= set(PACKAGES) - {"uol"}


def test_an_example_that_shows_something_else_fails() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=lambda said: None).failed == 1


def test_an_example_is_skipped_for_a_reason_only() -> None:
    lines = [
        line for package in PACKAGES for path in (ROOT / package).rglob("*.py") for line in path.read_text("utf-8").splitlines()
    ]
    assert not [line for line in lines if "doctest: +SKIP" in line and not line.partition("+SKIP")[2].strip()]

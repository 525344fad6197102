"""What a type checker sees of `uol.ops` is what the texts say. That right calls pass and wrong ones do not is mypy's to say,
which `make types` asks of the files in `typed/`."""

from __future__ import annotations

import runpy
from pathlib import Path

from uol.pytorch.stubs import stub_text, text_stub

HERE = Path(__file__).parent


def test_the_stubs_are_what_rows_and_texts_say() -> None:
    ops = HERE.parent.parent / "ops"
    assert (ops / "__init__.pyi").read_text() == stub_text(), "`make stubs` writes it anew"
    assert (ops / "text.pyi").read_text() == text_stub(), "`make stubs` writes it anew"


def test_the_calls_that_pass_run() -> None:
    results = runpy.run_path(str(HERE / "typed" / "right_calls.py"))["results"]
    assert len(results) >= 60


def test_fifteen_mistakes_are_planted() -> None:
    lines = (HERE / "typed" / "wrong_calls.py").read_text().splitlines()
    assert len([line for line in lines if "# type: ignore[" in line]) >= 15

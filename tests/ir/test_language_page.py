"""The texts of the language's page are right, for all sizes, and round-trip."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import uol.ir
from uol.ir import Library, Op, check, parse, print_op

PAGE = (Path(uol.ir.__file__).parent / "README.md").read_text(encoding="utf-8")
OPS = [op for block in re.findall(r"```uol\n(.*?)```", PAGE, re.DOTALL) for op in parse(block, "ir/README.md")]


def test_there_are_texts() -> None:
    assert {op.name for op in OPS} >= {"softmax", "conv1d", "running", "route", "segment_mean"}


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_a_text_of_the_page(op: Op) -> None:
    check(op, Library(OPS))
    assert parse(print_op(op)) == (op,)

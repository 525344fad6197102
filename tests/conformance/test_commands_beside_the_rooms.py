"""A wrong word on the line of `python -m uol.conformance.NAME` is a message and exit status 2, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRONG = {
    "emitted_texts": ["--op", "sofmax"],
    "mutation_run": ["--target", "cudaa"],
    "planted_faults": ["--target", "cudaa"],
    "support": ["--op", "sofmax"],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_word_is_a_message(name: str) -> None:
    command = [sys.executable, "-m", f"uol.conformance.{name}", *WRONG[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "help: " in done.stderr

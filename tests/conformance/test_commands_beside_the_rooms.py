"""A wrong word on the line of `python -m uol.conformance.NAME` is a message and exit status 2, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from uol.conformance.torch_samples.devices import device_of
from uol.ir.errors import UolError

WRONG = {
    "emitted_texts": ["--op", "sofmax"],
    "mutation_run": ["--target", "cudaa"],
    "opcheck": ["--op", "sofmax"],
    "opinfo": ["--op", "sofmax"],
    "planted_faults": ["--target", "cudaa"],
    "support": ["--op", "sofmax"],
}


def test_a_device_that_is_not_here_is_a_message() -> None:
    with pytest.raises(UolError, match="PyTorch makes no tensor on 'testcard'"):
        device_of("testcard")
    assert device_of("cpu") == "cpu"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_word_is_a_message(name: str) -> None:
    command = [sys.executable, "-m", f"uol.conformance.{name}", *WRONG[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "help: " in done.stderr

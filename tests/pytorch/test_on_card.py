"""Tests on a device type of our own (`tests/testcard`), in a process of its own for each file: PyTorch counts the devices of
a process at its first backward, and other tests are of a PyTorch without an accelerator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
FILES = sorted(file.name for file in (TESTS / "testcard").glob("on_card_*.py"))


@pytest.mark.parametrize("file", FILES)
def test_the_tests_on_the_card_pass(file: str) -> None:
    options = ["-q", "-n0", "-p", "no:cacheprovider", "-p", "testcard.plugin"]
    command = [sys.executable, "-m", "pytest", *options, str(TESTS / "testcard" / file)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

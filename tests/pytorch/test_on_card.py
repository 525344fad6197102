"""Tests on a device type of our own (`tests/testcard`), in a process of their own: PyTorch counts the devices of a process at
its first backward, and other tests are of a PyTorch without an accelerator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
FILES = sorted((TESTS / "testcard").glob("on_card_*.py"))


def passes(*options: str) -> None:
    plain = ["-q", "-n0", "-p", "no:cacheprovider", "-p", "testcard.plugin"]
    command = [sys.executable, "-m", "pytest", *plain, *options, *map(str, FILES)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_on_the_card_pass() -> None:
    passes()


@pytest.mark.soak
def test_the_long_tests_on_the_card_pass() -> None:
    passes("-m", "soak")

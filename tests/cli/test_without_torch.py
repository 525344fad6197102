"""The command line needs no torch, with an empty cache and every target: 3 s at each start, and a dependency less."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import sys
from uol.cli.application import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *(m for m in ("torch", "tvm") if m in sys.modules))
"""
SOFTMAX = "softmax --dims R=4,C=6"
COMMANDS = {
    "list": "",
    "show softmax": "",
    "doctor": None,
    f"compile {SOFTMAX} --target cpu,cuda,hip,ascendc -o build": "tvm",
    f"explain {SOFTMAX} --target cuda": "tvm",
    f"run {SOFTMAX}": "tvm",
    f"run {SOFTMAX} --target cuda --twin": "tvm",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_torch_is_not_loaded(command: str, tmp_path: Path) -> None:
    if "--twin" in command and shutil.which("g++") is None:
        pytest.skip("the twin needs g++")
    environment = {**os.environ, "UOL_CACHE_DIR": str(tmp_path / "cache")}
    arguments = [sys.executable, "-c", PROBE, *command.split()]
    run = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = run.stdout.splitlines()[-1].split()[1:]
    assert "torch" not in loaded
    if COMMANDS[command] is not None:
        assert loaded == COMMANDS[command].split()

"""The command line needs no torch, with every target and a cache that holds the runtimes of twins alone: 3 s at each start,
and a dependency less."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

PROBE = """
import json, sys
from uol.cli.application import main
loaded = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["uol", *command.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, command
    loaded[command] = [m for m in ("torch", "tvm") if m in sys.modules]
print(json.dumps(loaded))
"""
SOFTMAX = "softmax --dims S=4,C=6"
LIGHT = ("list", "show softmax", "doctor")
HEAVY = (f"compile {SOFTMAX} --target cpu,cuda,hip,ascendc -o build", f"explain {SOFTMAX} --target cuda", f"run {SOFTMAX}")
TWIN = (f"run {SOFTMAX} --target cuda --twin", "check build/softmax-hip-mi250x")


def test_torch_is_never_loaded_and_tvm_only_to_compile(own_cache_with_twins: Path, tmp_path: Path) -> None:
    commands = [*LIGHT, *HEAVY, *(TWIN if shutil.which("g++") is not None else ())]
    arguments = [sys.executable, "-c", PROBE, json.dumps(commands)]
    run = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = json.loads(run.stdout.splitlines()[-1])
    assert {command: modules for command, modules in loaded.items() if "torch" in modules} == {}
    assert [loaded[command] for command in LIGHT[:2]] == [[], []]
    assert all(loaded[command] == ["tvm"] for command in HEAVY)

"""Self-test of a uol bundle: `python selftest.py [--device]`.

1. Every file has the hash that manifest.json gives (needs Python only).
2. Where uol is installed: the kernels in these files compute what the operator means, in the twin or on the device
   (`uol check`). Exit status: 0 passed, 1 failed, 3 only the files were checked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path


def check_files(folder: Path) -> list[str]:
    """What is wrong with the files; nothing where they are as they were written."""
    recorded = json.loads((folder / "manifest.json").read_text())["files"]
    wrong = []
    for name, expected in recorded.items():
        file = folder / name
        if not file.is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            wrong.append(f"{name} was changed")
    return wrong


def main() -> int:
    """Checks the bundle that this file lies in."""
    folder = Path(__file__).resolve().parent
    wrong = check_files(folder)
    if wrong:
        print("\n".join(f"FAILED  {message}" for message in wrong))
        return 1
    print("passed  files", flush=True)
    if importlib.util.find_spec("uol") is None:
        print("not run kernels: uol is not installed")
        return 3
    return subprocess.run([sys.executable, "-m", "uol.cli", "check", str(folder), *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())

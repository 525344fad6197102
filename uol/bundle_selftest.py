"""Self-test of a uol bundle: `python selftest.py`.

1. Every file has the hash that manifest.json gives (needs Python only).
2. Where uol is installed: the kernels in these files compute what the operator means, in the twin or on the device
   (`--device`). Exit status: 0 passed, 1 failed, 3 only the files were checked.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", action="store_true", help="run on the device instead of in the twin")
    options = parser.parse_args()
    folder = Path(__file__).resolve().parent
    wrong = check_files(folder)
    for message in wrong:
        print(f"FAILED  {message}")
    if wrong:
        return 1
    print("passed  files")
    if importlib.util.find_spec("uol") is None:
        print("not run kernels: uol is not installed")
        return 3
    from uol.cli.bundle_check import check_kernels

    failure = check_kernels(folder, on_device=options.device)
    print(f"FAILED  kernels: {failure}" if failure else "passed  kernels")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())

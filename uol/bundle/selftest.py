"""Self-test of a uol bundle: `python selftest.py [options of uol check]`.

1. Every file has the hash that manifest.json gives, none is missing or added, and the manifest has the hash that it gives
   itself (needs Python only). That finds accidents: whoever changes a file on purpose changes its hash as well.
2. Where uol is installed: `uol check`, which writes the bundle anew and compares, and runs the kernels.

Exit status: 0 passed, 1 failed or not verified, 2 no bundle, 3 only the files were checked.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # this folder: no file of a bundle is imported

import hashlib  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import shlex  # noqa: E402
import subprocess  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402

MANIFEST = "manifest.json"


def check_files(files: Mapping[str, bytes | None], record: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with the files, by name; nothing where they are as they were written. The library that the build line
    makes is none of them. `files` is what `read_files` gives."""
    recorded = record.get("files")
    hashes = recorded if isinstance(recorded, dict) else {}
    wrong = {name: "missing" for name in hashes if name not in files}
    for name, content in files.items():
        if name not in hashes and name != library(str(record.get("build", ""))):
            wrong[name] = "added"
        elif name in hashes and (content is None or hash_of(content) != hashes[name]):
            wrong[name] = "changed"
    if record.get("content_hash") != content_hash(record):
        wrong[MANIFEST] = "changed"
    return dict(sorted(wrong.items()))


def read_files(folder: Path) -> dict[str, bytes | None]:
    """Every file below the folder but the manifest; None for a link and whatever else is no plain file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    named = {path.relative_to(folder).as_posix(): path for path in paths if path != folder / MANIFEST}
    return {name: path.read_bytes() if path.is_file() and not path.is_symlink() else None for name, path in named.items()}


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content_hash(record: Mapping[str, object]) -> str:
    """The hash of a manifest: of all its fields but this one, and so of the files, whose hashes it holds."""
    fields = {name: value for name, value in record.items() if name != "content_hash"}
    return hash_of(json.dumps(fields, sort_keys=True).encode())


def library(build: str) -> str:
    """The shared library that the build lines make in the folder; empty where they name none."""
    try:
        words = shlex.split(build)
    except ValueError:
        return ""
    made = [name for option, name in zip(words, words[1:], strict=False) if option == "-o"]
    return next((name for name in made if name.endswith(".so")), "")


def main() -> int:
    """Checks the bundle that this file lies in."""
    folder = Path(__file__).resolve().parent
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wrong = check_files(read_files(folder), record)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        print(f"{folder / MANIFEST} is no manifest of a bundle: {error}", file=sys.stderr)
        return 2
    if wrong:
        said = {"missing": "is missing", "added": "is not named in the manifest", "changed": "was changed"}
        print("\n".join(f"FAILED  {name} {said[state]}" for name, state in wrong.items()))
        return 1
    print("passed  files", flush=True)
    if importlib.util.find_spec("uol") is None:
        print("not run kernels: uol is not installed")
        return 3
    command = [sys.executable, "-P", "-m", "uol.cli", "check", str(folder), *sys.argv[1:]]
    return subprocess.run(command, cwd=folder.anchor).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Bundles that were tampered with, each of which `uol check` must find.

    python -m uol.conformance.tampered_bundles [--op softmax] [--target cuda,hip]

Every file of a bundle on every target is changed, taken away, or another is added beside it; every field of its manifest, too.
Each is done plainly, and with all hashes corrected, as one does who knows the format. The libraries that the build lines make
are among the files, where their compilers are here. Exit status 1 where a tampered bundle passes, or one that is as it was
written does not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uol.backends import registry
from uol.bundle import write_bundles
from uol.bundle.elf import loaded
from uol.bundle.hold import hold
from uol.bundle.manifest import manifest_text, sealed
from uol.bundle.selftest import MANIFEST, hash_of, library
from uol.compiler import compile
from uol.conformance.command import run_command
from uol.ir.errors import UolError
from uol.ops.workloads import workloads_of


@dataclass(frozen=True, slots=True)
class Tampering:
    """One way to tamper with a bundle. `act` does it in a folder; `corrected` says whether the hashes are made to hold."""

    what: str
    how: str
    corrected: bool
    act: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.what} {self.how}" + (", hash corrected" if self.corrected else "")

    def apply(self, folder: Path) -> None:
        """Raises AssertionError where nothing is different after it."""
        before = contents(folder)
        self.act(folder)
        if self.corrected:
            correct_hashes(folder)
        assert contents(folder) != before, f"{self} changes nothing"


def tamperings(folder: Path) -> Iterator[Tampering]:
    """Every way to tamper with the bundle in the folder."""
    record = json.loads((folder / MANIFEST).read_text())
    built = library(record["build"])
    for corrected in (False, True):
        for name in sorted(contents(folder).keys() - {MANIFEST}):
            yield Tampering(name, "changed", corrected, partial(change_file, name))
            if name != built:  # which nobody misses: it is made by whoever gets the bundle
                yield Tampering(name, "missing", corrected, partial(take_file, name))
        for name in sorted({f"another{Path(name).suffix}" for name in record["files"]}):
            yield Tampering(name, "added", corrected, partial(add_file, name))
        yield from _of_fields(record, corrected)


def _of_fields(record: dict[str, Any], corrected: bool) -> Iterator[Tampering]:
    own = {"content_hash"} if corrected else set()  # correcting undoes it
    for name in (n for n in record if n not in own):
        if not (corrected and name == "files"):
            yield _field(name, "changed", corrected, record | {name: changed(record[name])})
            yield _field(name, "missing", corrected, {other: value for other, value in record.items() if other != name})
    yield _field("files", "emptied", False, record | {"files": {}})
    yield _field("another_field", "added", corrected, record | {"another_field": 1})


def _field(name: str, how: str, corrected: bool, record: dict[str, Any]) -> Tampering:
    """The manifest with other fields."""
    return Tampering(f"manifest {name}", how, corrected, partial(write_manifest, record))


def write_manifest(record: dict[str, Any], folder: Path) -> None:
    (folder / MANIFEST).write_text(manifest_text(record))


def changed(value: Any) -> Any:
    """Another value of the same form."""
    match value:
        case None:
            return {"passed": True}
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value.replace("exp(", "exp2(") if "exp(" in value else f"{value}x"
        case list():
            return [changed(value[0]), *value[1:]] if value else ["another"]
        case dict() if value:
            first = next(iter(value))
            return {**value, first: changed(value[first])}
    return {"another": 1}


def change_file(name: str, folder: Path) -> None:
    """One byte: of a binary in the middle of its code, of a text in a word of its last half."""
    content = (folder / name).read_bytes()
    place = _in_code(content) if content.startswith(b"\x7fELF") else _in_text(content)
    (folder / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def take_file(name: str, folder: Path) -> None:
    (folder / name).unlink()


def add_file(name: str, folder: Path) -> None:
    (folder / name).write_text("// nobody asked for this\n")


def correct_hashes(folder: Path) -> None:
    """The manifest as it would be for the files that are there."""
    file = folder / MANIFEST
    record = json.loads(file.read_text())
    if isinstance(record.get("files"), dict):
        built = library(str(record.get("build", "")))
        listed = {name: hash_of(content) for name, content in sorted(contents(folder).items())}
        record["files"] = {name: digest for name, digest in listed.items() if name not in (MANIFEST, built)}
    if "content_hash" in record:
        record = sealed({name: value for name, value in record.items() if name != "content_hash"})
    file.write_text(manifest_text(record))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _in_code(content: bytes) -> int:
    """A byte of the longest segment that is loaded and executed; the middle of a file without segments."""
    segments = loaded(content) or ()
    code = max((s.content for s in segments if s.what == "code"), key=len, default=b"")
    return content.index(code) + len(code) // 2 if code else len(content) // 2


def _in_text(content: bytes) -> int:
    return next(place for place in range(len(content) // 2, len(content)) if chr(content[place]).isalpha())


def findings(folder: Path) -> list[str]:
    """What is not as uol writes it; where that is nothing, what `uol check` says, which runs the kernels, too."""
    try:
        with hold(folder) as bundle:
            found = [str(held) for held in bundle.held if held.state != "ok"]
    except UolError as error:
        return [f"refused: {error.message}"]
    if found:
        return found
    command = [sys.executable, "-P", "-m", "uol.cli", "check", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [done.stdout + done.stderr] if done.returncode else []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.tampered_bundles", description=__doc__)
    parser.add_argument("--op", default="softmax", help="an operator of the library, at its representative sizes")
    parser.add_argument("--target", default=",".join(registry.names()), help="targets, by commas")
    options = parser.parse_args(arguments)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="uol-") as scratch:
        sizes = workloads_of(options.op)[0]
        compiled = [compile(options.op, t, None, dict(sizes.dims), sizes.attrs) for t in options.target.split(",")]
        for folder in write_bundles(compiled, Path(scratch) / "written"):
            missed += _report(folder, Path(scratch))
    return 1 if missed else 0


def _report(folder: Path, scratch: Path) -> int:
    """Tampers with copies of a bundle in every way, and prints which are not found."""
    built, copy = scratch / f"built-{folder.name}", scratch / folder.name
    shutil.copytree(folder, built)
    subprocess.run(["sh", "build.sh"], cwd=built, capture_output=True, check=False)
    wrong = findings(built)
    print(f"{folder.name}, as it was written: {'; '.join(wrong) or 'holds'}", flush=True)
    library_of = contents(built).keys() - contents(folder).keys()
    every = list(tamperings(built))
    missed = int(bool(wrong))
    for tampering in every:
        shutil.copytree(built if tampering.what in library_of else folder, copy)
        tampering.apply(copy)
        if not findings(copy):
            missed += 1
            print(f"NOT FOUND  {tampering}", flush=True)
        shutil.rmtree(copy)
    print(f"{folder.name}: {len(every)} ways to tamper with it, {len(every) - missed} found", flush=True)
    return missed


if __name__ == "__main__":
    run_command(main)

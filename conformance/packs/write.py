"""A pack as a folder, whole or not at all.

    pack.json       the cases: launches, tensors, work; a hash of every file, and a seal over itself
    cases/          the arrays of each case
    binaries/       by their hash, each once
    references/     PyTorch's calls
    run.py, pack_runner/    the runner, as text
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from uol import __version__
from uol.backends import registry
from uol.codegen.extensions import PackableBackend
from uol.compilation.request import Target
from uol.conformance.packs.cases import Subject
from uol.conformance.packs.contents import Packed, packed
from uol.conformance.packs.held import Binaries
from uol.conformance.packs.parts import part_of, parts_needed
from uol.conformance.packs.runner.contents import FORMAT, PACK, seal
from uol.ir.errors import MissingToolError, RefusalError, ResourceError, UolError
from uol.json_text import finite_json

MOST_BYTES = 50 * 2**20
"""Of a pack: what goes through a mail, a ticket, a clipboard of a remote desktop."""

RUN = '''"""Runs the cases of this pack on a card, judges and times them, and writes a record: `python run.py --help`.

It takes Python 3.10, numpy and the card's driver; with PyTorch, its times stand beside.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
if sys.version_info < (3, 10):
    print("run.py: it takes Python 3.10 or later: run it with such a one", file=sys.stderr)
    sys.exit(2)
try:
    import numpy  # noqa: F401
except ImportError:
    print("run.py: numpy is not installed, with which results are judged: pip install numpy", file=sys.stderr)
    sys.exit(2)

from pack_runner import command, device

sys.exit(command.main(device.open_card, Path(__file__).resolve(), sys.argv[1:]))
'''

RUNNER = "pack_runner"
ROOM = "uol.conformance.packs.runner"
MODULES = (
    *("__init__", "buffers", "case_run", "command", "contents", "drawn", "judge", "numbers"),
    *("report", "seals", "stored", "supervisor", "timing", "torch_times", "turns", "worker"),
)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Left:
    """A case that is not in the pack, and why: its target has no kernel for it, or it failed to be made."""

    name: str
    state: Literal["refused", "failed"]
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What a pack was asked to hold: in words, and which part of how many."""

    text: str
    part: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many cases, those that are left out, and bytes."""

    folder: Path
    cases: int
    left: tuple[Left, ...]
    bytes: int

    @property
    def failed(self) -> int:
        """How many cases could not be made, and were not refused by their target."""
        return sum(each.state == "failed" for each in self.left)


@dataclass(slots=True)
class _Folder:
    """The files of a pack as they come, below a folder that nobody sees yet."""

    path: Path
    hashes: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def add(self, name: str, content: bytes) -> None:
        if name not in self.hashes:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(content)
            self.hashes[name] = hashlib.sha256(content).hexdigest()
            self.size += len(content)


def write_pack(
    subjects: Sequence[Subject],
    target: Target,
    selection: Selection,
    folder: Path,
    progress: Progress,
    most_bytes: int = MOST_BYTES,
) -> Written:
    """Builds and writes a pack of the part of the cases that is asked for; a pack that is there is replaced.

    Raises UolError where the target has no cards that packs are for, or no case is left; ResourceError where the pack is too
    large, or its place cannot be written or holds something else.
    """
    backend = require_packable(target)
    chosen = part_of(subjects, *selection.part)
    _require_place(folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            made = _Folder(Path(scratch) / "new")
            made.path.mkdir()
            written = _fill(made, chosen, target, selection, backend, _with_limit(made, subjects, chosen, most_bytes, progress))
            if folder.exists():
                os.replace(folder, Path(scratch) / "old")
            os.replace(made.path, folder)
    except OSError as error:
        message = f"the pack cannot be written to {str(folder)!r}: {error.strerror or error}"
        raise ResourceError(message, hint="choose a folder that can be written") from error
    return Written(folder, written[0], written[1], made.size)


def require_packable(target: Target) -> PackableBackend:
    """Raises UolError for a target whose cards no runner opens."""
    backend = target.backend
    if not isinstance(backend, PackableBackend):
        others = ", ".join(name for name in registry.names() if isinstance(registry.get(name), PackableBackend))
        hint = f"packs are for {others}, whose drivers a plain Python process opens"
        raise UolError(f"{target.name}: packs have no runner for its cards", hint=hint)
    return backend


def _require_place(folder: Path) -> None:
    """Raises ResourceError where a folder is there that is no pack, or its parent is not."""
    if folder.exists() and not (folder / PACK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ResourceError(f"{str(folder)!r} is there and is no pack", hint="choose another folder with -o")
    folder.parent.mkdir(parents=True, exist_ok=True)


def _with_limit(
    made: _Folder, subjects: Sequence[Subject], chosen: Sequence[Subject], most: int, progress: Progress
) -> Progress:
    """The progress of a pack that ends, with what to do, as soon as it is too large."""

    def report(done: int, of: int, said: str) -> None:
        if made.size > most:
            needed = parts_needed(subjects, chosen[:done], made.size, most)
            raise ResourceError(
                f"{done} of {of} cases take {made.size / 2**20:.1f} MiB, and a pack may have {most / 2**20:g} MiB",
                hint=f"make it in parts, each in a folder of its own: --part 1/{needed} and so on; or choose fewer operators",
            )
        progress(done, of, said)

    return report


def _fill(
    made: _Folder,
    subjects: Sequence[Subject],
    target: Target,
    selection: Selection,
    backend: PackableBackend,
    progress: Progress,
) -> tuple[int, tuple[Left, ...]]:
    """All files. Gives how many cases there are, and those that are left out."""
    entries: list[Mapping[str, object]] = []
    left: list[Left] = []
    compiler = ""
    for number, subject in enumerate(subjects):
        try:
            case = packed(subject)
        except MissingToolError:
            raise
        except UolError as error:
            left.append(Left(subject.name, "refused" if isinstance(error, RefusalError) else "failed", error.message))
        else:
            entries.append(_add(made, case, len(entries)))
            compiler = compiler or case.compiler
        progress(number + 1, len(subjects), f"{len(left)} left out, {made.size / 2**20:.1f} MiB")
    if not entries:
        reasons = "; ".join(dict.fromkeys(each.reason for each in left[:3])) or "no case was given"
        raise UolError(f"there is nothing to pack: {reasons}", hint="choose other operators or types")
    for name, text in runner_files(backend):
        made.add(name, text.encode())
    fields = _fields(target, selection, compiler, entries, left) | {"files": made.hashes}
    content = json.dumps(fields | {"seal": seal(fields)}, allow_nan=False).encode()
    (made.path / PACK).write_bytes(content)
    made.size += len(content)
    return len(entries), tuple(left)


def _add(made: _Folder, case: Packed, number: int) -> Mapping[str, object]:
    """A case's files; gives its entry."""
    binaries = _add_binaries(made, case.binaries)
    draws = {name: {**launch, "binaries": _add_binaries(made, own)} for name, (launch, own) in case.draws.items()}
    for name, text in case.files.items():
        made.add(name, text.encode())
    arrays = BytesIO()
    np.savez_compressed(arrays, **dict(case.arrays))  # type: ignore[arg-type]  # of its other keyword
    place = f"cases/{number:05}.npz"
    made.add(place, arrays.getvalue())
    return {**case.entry, "binaries": binaries, "draws": draws, "arrays": place}


def _add_binaries(made: _Folder, binaries: Binaries) -> dict[str, str]:
    """The file of each kind."""
    files = {}
    for kind, (suffix, content) in binaries.items():
        files[kind] = f"binaries/{hashlib.sha256(content).hexdigest()[:20]}{suffix}"
        made.add(files[kind], content)
    return files


def _fields(
    target: Target, selection: Selection, compiler: str, entries: Sequence[Mapping[str, object]], left: Sequence[Left]
) -> dict[str, Any]:
    device = target.device
    rates = {name: {"si": rate.si, "source": rate.source, "grade": rate.grade} for name, rate in device.rates.items()}
    fields = finite_json(
        {
            "format": FORMAT,
            "target": target.name,
            "architecture": device.architecture,
            "made_by": f"uol {__version__}",
            "compiler": compiler,
            "selection": selection.text,
            "part": list(selection.part),
            "device": {"name": device.name, "cores": device.cores, "memory_bytes": device.memory_bytes, "rates": rates},
            "left_out": [asdict(each) for each in left],
            "cases": entries,
        }
    )
    assert isinstance(fields, dict)
    return fields


def runner_files(backend: PackableBackend) -> Iterator[tuple[str, str]]:
    """run.py and the modules of `pack_runner`, which name each other by that name."""
    sources = {name: f"{ROOM}.{name}" for name in MODULES if name != "__init__"} | dict(backend.card_modules())
    texts = {name: _text(module) for name, module in sources.items()} | {"__init__": _text(ROOM)}
    yield "run.py", RUN
    for name, text in texts.items():
        for own, module in sources.items():
            text = text.replace(f"from {module} import", f"from {RUNNER}.{own} import")
        yield f"{RUNNER}/{name}.py", text


def _text(module: str) -> str:
    file = import_module(module).__file__
    assert file is not None
    return Path(file).read_text(encoding="utf-8")

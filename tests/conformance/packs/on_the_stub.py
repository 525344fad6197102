"""A pack, and its runner beside the stub driver. No kernel runs here: what one writes was computed by PyTorch, and the stub
plays it back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uol.backends.stub_driver.stub import answer_name, library_folder
from uol.compilation.request import resolve_target
from uol.conformance.accuracy.interval import Array
from uol.conformance.cases.selection import Selection, plan
from uol.conformance.cases.truth import Truth
from uol.conformance.packs import write
from uol.conformance.packs.cases import Subject, of_operators
from uol.conformance.packs.runner.contents import seal
from uol.conformance.packs.write import Written, write_pack
from uol.ir.program.dtype_encoding import encode


def subjects(ops: str, target: str, dtype: str = "f32", *, gradients: bool = False) -> list[Subject]:
    chosen = Selection(tuple(ops.split(",")), (target,), (dtype,), first=True, gradients=gradients, adversarial=False)
    return of_operators(plan(chosen).cases)


def packed_into(folder: Path, cases: list[Subject], target: str, **options: Any) -> Written:
    return write_pack(cases, resolve_target(target), write.Selection("a test"), folder, lambda done, of, said: None, **options)


def fields_of(pack: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pack / "pack.json").read_text())
    return found


def of_pytorch(cases: Iterable[Subject]) -> Iterator[Mapping[str, Array]]:
    """The results of each case by PyTorch, rounded to their types."""
    for case in cases:
        prepared = case.prepared()
        found = Truth().reference(prepared)
        assert found is not None
        yield {t.name: encode(found[t.name], t.dtype) for t in prepared.program.by_role("out")}


def play(pack: Path, results: Iterable[Mapping[str, Array]], folder: Path) -> Path:
    """The folder of answers by which the stub's kernels write these results, a case each."""
    folder.mkdir(exist_ok=True)
    for case, outputs in zip(fields_of(pack)["cases"], results, strict=True):
        images = [(pack / file).read_bytes() for file in case["binaries"].values()]
        for name, array in outputs.items():
            symbol, place = _writer(case, name)
            for image in images:
                (folder / answer_name(image, symbol, place)).write_bytes(np.ascontiguousarray(array).tobytes())
    return folder


def _writer(case: Mapping[str, Any], result: str) -> tuple[str, int]:
    """The last kernel that takes a result, and which of its parameters that is."""
    kernel = [k for k in case["kernels"] if result in [name for _, name in k["parameters"]]][-1]
    return kernel["symbol"], [name for _, name in kernel["parameters"]].index(result)


def with_small_pauses(pack: Path) -> None:
    """A pack whose runner writes a megabyte before each sample: the stub's memory is slower than a card's."""
    text = (pack / "pack_runner" / "timing.py").read_text()
    resealed(pack, "pack_runner/timing.py", text.replace("EVICTED_BYTES = 256 * 2**20", "EVICTED_BYTES = 2**20"))


def resealed(pack: Path, name: str, text: str) -> None:
    """A pack that holds another text for one of its own."""
    (pack / name).write_text(text)
    fields = fields_of(pack)
    fields["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    (pack / "pack.json").write_text(json.dumps(fields | {"seal": seal(fields)}))


def run_pack(
    pack: Path, folder: Path, *options: str, devices: str = "sm_90", answers: Path | None = None, failures: str = ""
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any] | None]:
    """`python run.py`, beside the stub with these devices; and the record that it wrote. The process sees no uol."""
    library = folder / "driver"
    if not library.exists():
        library_folder(library)
    stub = {"LD_LIBRARY_PATH": str(library), "UOL_STUB_DEVICES": devices, "UOL_STUB_FAILURES": failures}
    played = {} if answers is None else {"UOL_STUB_ANSWERS": str(answers)}
    record = folder / "record.json"
    record.unlink(missing_ok=True)
    command = [sys.executable, str(pack / "run.py"), "-o", str(record), *options]
    environment = {**os.environ, **stub, **played}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
    return done, json.loads(record.read_text()) if record.exists() else None

"""Bundles: for each target a folder with everything that is shipped.

    build/softmax-cuda-a100/
      softmax.cu uol_device.h ...    the kernels and what they include
      uol_softmax.h uol_abi.h ...    the C interface, the same for every target, and the host launcher
      build.sh                       the vendor's build line
      softmax.cubin softmax.ptx      binaries, of targets that ship some, where the vendor's compiler was there
      manifest.json                  what it is and how it was made
      selftest.py                    checks the files, and the kernels against the operator's meaning

A bundle is written beside its place and renamed into it, so that it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from uol import bundle_selftest
from uol.backends.abi.sizes import untold_dims
from uol.compiler import Compiled
from uol.ir.errors import MissingToolError, ResourceError, ShapeError
from uol.manifest import Json, manifest
from uol.pipeline import artifact_of

MANIFEST = "manifest.json"


def write_bundles(compiled: Sequence[Compiled], path: Path, conformance: Mapping[str, Json] | None = None) -> list[Path]:
    """Writes one folder a target below `path` and gives the folders. `conformance` holds results by target, for the
    manifests. Dims that are open are told by the shapes of the tensors that a caller in C passes.

    Raises ResourceError where the place cannot be written or holds something else, ShapeError for an open dim that is no
    tensor's size by itself; then nothing is left.
    """
    contents = [_contents(c, (conformance or {}).get(c.request.target.name)) for c in compiled]
    places = [path / bundle_name(c) for c in compiled]
    try:
        for place in places:
            _require_replaceable(place)
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path, prefix=".writing-") as scratch:
            for place, files in zip(places, contents, strict=True):
                _write_files(Path(scratch) / place.name, files)
            for place in places:
                _move(Path(scratch) / place.name, place, Path(scratch))
    except OSError as error:
        with suppress(OSError):
            path.rmdir()  # only where nothing is in it
        raise ResourceError(
            f"cannot write bundles to {str(path)!r}: {error.strerror or error}", hint="choose a folder that can be written"
        ) from error
    return places


def bundle_name(compiled: Compiled) -> str:
    """`"softmax-cuda-a100"`."""
    return f"{compiled.module.graph.name}-{compiled.request.target.name.replace(':', '-')}"


def _contents(compiled: Compiled, conformance: Json | None) -> dict[str, bytes]:
    module = compiled.module
    if untold := untold_dims(module.graph):
        raise ShapeError(
            f"{module.graph.name}: no tensor has {untold[0]} as a size by itself, so a caller in C cannot tell it",
            hint=f"give it a size in a bundle, for example {untold[0]}=64",
        )
    texts = {file.name: file.text for file in (module.device, *module.host)}
    what = f"{module.graph.name} for {module.backend}:{module.device_name}"
    texts["build.sh"] = f"#!/bin/sh\n# Builds {what}.\nset -eu\n{module.build}\n"
    texts["selftest.py"] = Path(bundle_selftest.__file__).read_text()
    binaries = _binaries(compiled)
    files = {name: text.encode() for name, text in texts.items()} | binaries
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    record = manifest(compiled, hashes, conformance, sorted(binaries))
    return files | {MANIFEST: (json.dumps(record, indent=2) + "\n").encode()}


def _binaries(compiled: Compiled) -> dict[str, bytes]:
    """What the target's compiler makes of the text and a bundle carries; nothing where that compiler is missing."""
    if not compiled.module.products:
        return {}
    try:
        files = artifact_of(compiled.request, compiled.module).files
    except MissingToolError:
        return {}
    return {name: files[name] for name in compiled.module.products}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if file.suffix == ".sh":
            file.chmod(0o755)


def _require_replaceable(place: Path) -> None:
    if place.exists() and not (place / MANIFEST).is_file():
        raise ResourceError(f"{str(place)!r} exists and is no bundle", hint="move it away, or choose another folder")


def _move(new: Path, place: Path, scratch: Path) -> None:
    """`new` takes the place of the bundle there, which goes to the scratch folder."""
    if place.exists():
        os.replace(place, scratch / f"{place.name}.old")
    os.replace(new, place)

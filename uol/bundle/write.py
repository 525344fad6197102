"""Bundles are written beside their places and renamed into them, so that they are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from uol.backends.abi.interface import untold_dims
from uol.bundle.contents import MANIFEST, binaries_of, texts_of
from uol.bundle.manifest import manifest, manifest_text
from uol.bundle.places import bundle_name, places_of
from uol.bundle.selftest import hash_of
from uol.compilation.explain import Json
from uol.ir.errors import ResourceError, ShapeError

if TYPE_CHECKING:
    from uol.compiler import Compiled

__all__ = ["bundle_name", "write_bundles"]


def write_bundles(compiled: Sequence[Compiled], path: Path, conformance: Mapping[str, Json] | None = None) -> list[Path]:
    """Writes one folder a target below `path` and gives the folders. `conformance` holds results by target, for the
    manifests. Dims that are open are told by the shapes of the tensors that a caller in C passes. A folder that holds the
    same request is replaced; where it holds another size, type or attribute, the new one goes beside it (`places_of`).

    Raises ResourceError where the place cannot be written or holds something else, ShapeError for an open dim that is no
    tensor's size by itself; then nothing is left.
    """
    contents = [_contents(c, (conformance or {}).get(c.request.target.name)) for c in compiled]
    try:
        places = places_of(compiled, path)
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path, prefix=".writing-") as scratch:
            for place, files in zip(places, contents, strict=True):
                _write_files(Path(scratch) / place.name, files)
            for place in dict.fromkeys(places):
                _move(Path(scratch) / place.name, place, Path(scratch))
    except OSError as error:
        with suppress(OSError):
            path.rmdir()  # only where nothing is in it
        raise ResourceError(
            f"cannot write bundles to {str(path)!r}: {error.strerror or error}", hint="choose a folder that can be written"
        ) from error
    return places


def _contents(compiled: Compiled, conformance: Json | None) -> dict[str, bytes]:
    graph = compiled.module.graph
    if untold := untold_dims(graph):
        raise ShapeError(
            f"{graph.name}: no tensor has {untold[0]} as a size by itself, so a caller in C cannot tell it",
            hint=f"give it a size in a bundle, for example {untold[0]}=64",
        )
    made = binaries_of(compiled)
    files = texts_of(compiled) | dict(made.files)
    hashes = {name: hash_of(content) for name, content in files.items()}
    record = manifest(compiled, hashes, sorted(made.files), made.compiler, conformance)
    return files | {MANIFEST: manifest_text(record).encode()}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if file.suffix == ".sh":
            file.chmod(0o755)


def _move(new: Path, place: Path, scratch: Path) -> None:
    """`new` takes the place of the bundle there, which goes to the scratch folder."""
    if place.exists():
        os.replace(place, scratch / f"{place.name}.old")
    os.replace(new, place)

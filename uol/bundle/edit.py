"""Kernels of a bundle that were edited by hand become its own: hashes, launcher and binaries follow them."""

from __future__ import annotations

from pathlib import Path

from uol.bundle.contents import MANIFEST, binaries_of
from uol.bundle.manifest import manifest_text, sealed
from uol.bundle.reading import Found, read_bundle
from uol.bundle.regenerate import Regenerated, regenerated
from uol.bundle.selftest import hash_of
from uol.bundle.shipped import kernels_file, launcher_texts, shipped_module
from uol.ir.errors import ResourceError, UolError
from uol.whole_file import replacing


def record_edit(folder: Path) -> tuple[str, ...]:
    """Writes what goes with the kernels that the folder has, and with the launches that its manifest names: the launcher, the
    binaries, and the manifest, with their hashes and without a record of a run. Gives the names of the files. No other file is
    touched, and nothing is run: whether the kernels are right is for `hold` and a run to say.

    Raises UolError where no launcher can be written for the launches, ToolchainError where the compiler refuses the text,
    ResourceError where the folder cannot be written.
    """
    found = read_bundle(folder)
    with regenerated(found.record) as anew:
        files, record = _following(found, anew)
        stale = set(anew.compiled.module.products) - files.keys()  # of the kernels that were there before
    try:
        for name, content in (*files.items(), (MANIFEST, manifest_text(record).encode())):
            with replacing(folder / name) as file:
                file.write(content)
        for name in found.files.keys() & stale:
            (folder / name).unlink()
    except OSError as error:
        raise ResourceError(f"cannot write {str(folder)!r}: {error.strerror}", hint="make the folder writable") from error
    return tuple(files)


def _following(found: Found, anew: Regenerated) -> tuple[dict[str, bytes], dict[str, object]]:
    """The files that follow the kernels, and the manifest."""
    own = kernels_file(anew.compiled)
    kernels = found.files.get(own)
    if kernels is None:
        raise UolError(f"{found.folder} has no {own}", hint="the kernels are in that file")
    module = shipped_module(anew.compiled, found.record, {own: kernels})
    made = binaries_of(anew.compiled, module)
    files = launcher_texts(anew.compiled, module) | dict(made.files)
    recorded = found.record.get("files")
    hashes = {**(recorded if isinstance(recorded, dict) else {}), own: hash_of(kernels)}
    kept = {name: digest for name, digest in hashes.items() if name not in module.products}
    hashes = kept | {name: hash_of(content) for name, content in files.items()}
    record = dict(found.record) | {"binaries": sorted(made.files), "compiler": made.compiler or None, "conformance": None}
    return files, sealed(record | {"files": dict(sorted(hashes.items()))})

"""A bundle, held against the one that uol writes for the request that its manifest names.

Hashes that hold prove nothing, for whoever changes a file can change its hash: every text is compared byte by byte with the
one that is generated here, every binary with one that is built here from the generated text, every field of the manifest with
the one that is written here. Nothing of the bundle is run, and its build line is not believed: uol's own is.

What nobody can find without a signature: a bundle that is in every byte what uol writes for another request, and one whose
manifest says that no binary was made, or no run recorded, though some were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from uol.bundle.binaries import hold_binary, hold_library
from uol.bundle.contents import Binaries, binaries_of
from uol.bundle.fields import hold_fields, hold_manifest_text, other_version
from uol.bundle.held import Held
from uol.bundle.manifest import generator_hash, manifest
from uol.bundle.reading import Found, read_bundle
from uol.bundle.regenerate import Regenerated, regenerated
from uol.bundle.selftest import MANIFEST, check_files, hash_of, library
from uol.bundle.shipped import has_own_launches, kernels_file, launcher_texts, shipped_module
from uol.codegen.backend import Module
from uol.ir.errors import ToolchainError, UolError

BY_HASH = {
    "changed": "its hash is not the one in the manifest",
    "missing": "the manifest names it",
    "added": "the manifest does not name it",
}
EDITED = "; `--edited` holds kernels that were edited against the operator's meaning"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was held.

    version   why it is of another version of uol; empty where it is of this one
    anew      the request of its manifest, compiled here; None where it has none
    shipped   the module as the bundle has it, where its kernels are not those that uol generates and may be run: the hashes
              of all files hold, and they are edited or of another version
    """

    found: Found
    held: tuple[Held, ...]
    version: str = ""
    anew: Regenerated | None = None
    shipped: Module | None = None


@contextmanager
def hold(folder: Path, *, edited: bool = False) -> Iterator[Bundle]:
    """Within, the operators of the manifest are known, so that its kernels can be run. With `edited`, kernels may differ from
    those that uol generates, and the launches with them.

    Raises ResourceError or UolError for a folder that is no bundle.
    """
    found = read_bundle(folder)
    with ExitStack() as stack:
        try:
            anew = stack.enter_context(regenerated(found.record))
        except UolError as error:
            no_request = Held("file", MANIFEST, "changed", f"uol writes no bundle for its request: {error.message}")
            yield Bundle(found, (no_request, *_by_hash(found)))
            return
        yield _Holding(found, anew, edited).bundle()


def _by_hash(found: Found) -> Iterator[Held]:
    """The files whose hashes do not hold. What they are beside that is not asked: any text has some hash."""
    wrong = check_files(found.files, found.record)
    for name, state in wrong.items():
        if name != MANIFEST:
            plain = found.files.get(name, b"") is not None
            yield Held("file", name, state, BY_HASH[state] if plain else "it is a link, or no plain file")  # type: ignore[arg-type]


class _Holding:
    """The parts of one bundle, one after the other."""

    def __init__(self, found: Found, anew: Regenerated, edited: bool) -> None:
        self.found, self.anew, self.edited = found, anew, edited
        self.record = found.record
        self.version = other_version(self.record, generator_hash(anew.compiled.request.target.backend), anew.strangers)
        self.by_hash = {held.name: held for held in _by_hash(found)}
        self.own = kernels_file(anew.compiled)
        self.texts = dict(anew.texts)
        self.module = anew.compiled.module
        self.made = Binaries({})
        self.own_text: dict[str, bytes] = {}

    def bundle(self) -> Bundle:
        problems = [] if self.by_hash or not self._has_own_kernels() else list(self._take_shipped())
        products = set(self.module.products)
        listed = products if self.record.get("binaries") else set()
        problems += list(self._build()) if listed or products & self.found.files.keys() else []
        names = sorted({*self.found.files, *self.by_hash, *self.texts, *listed})
        held = [*map(self._hold_file, names), *self._fields(), *problems]
        text = hold_manifest_text(self.record, self.found.manifest)
        shipped = None if self.module is self.anew.compiled.module else self.module
        return Bundle(self.found, tuple([*held, *([text] if text else [])]), self.version, self.anew, shipped)

    def _has_own_kernels(self) -> bool:
        """May its kernels be others than those that are generated here, and are they?"""
        compiled = self.anew.compiled
        differs = self.found.files.get(self.own) != self.texts[self.own] or has_own_launches(compiled, self.record)
        return differs and bool(self.edited or self.version)

    def _take_shipped(self) -> Iterator[Held]:
        """The kernels of the bundle in the place of those that are generated, with the launcher that uol writes for them."""
        content = self.found.files.get(self.own)
        if content is None:
            return
        try:
            module = shipped_module(self.anew.compiled, self.record, {self.own: content})
            launchers = launcher_texts(self.anew.compiled, module)
        except (UolError, UnicodeDecodeError) as error:
            yield Held("kernels", "kernels", "changed", f"they cannot be run: {error}")
            return
        self.module, self.texts = module, self.texts | launchers
        self.own_text = {self.own: content}

    def _build(self) -> Iterator[Held]:
        try:
            self.made = binaries_of(self.anew.compiled, self.module)
        except ToolchainError as error:
            yield Held("file", self.own, "changed", f"the compiler refuses it: {error.message}")

    def _hold_file(self, name: str) -> Held:
        if name in self.by_hash:
            return self.by_hash[name]
        content = self.found.files.get(name)
        if content is None:
            plain = name not in self.found.files
            return Held("file", name, "missing" if plain else "changed", "uol writes it" if plain else "it is no plain file")
        if name in self.texts:
            return self._hold_text(name, content)
        if name in self.module.products:
            return self._softened(hold_binary(name, content, self.made, self.record))
        if name == library(self.anew.compiled.module.build):
            return self._softened(hold_library(name, content, self.module, self.texts | self.own_text | dict(self.made.files)))
        if self.version:
            return Held("file", name, "unverified", f"this uol writes no such file; {self.version}")
        return Held("file", name, "added", "uol writes no such file")

    def _hold_text(self, name: str, content: bytes) -> Held:
        if content == self.texts[name]:
            return Held("file", name, "ok", "byte by byte what uol writes for the request")
        if self.edited and name == self.own:
            return Held("file", name, "edited", "not what uol writes for the request; its kernels are run")
        if self.version:
            return Held("file", name, "unverified", f"not what this uol writes; {self.version}")
        return Held("file", name, "changed", "not what uol writes for the request" + (EDITED if name == self.own else ""))

    def _softened(self, held: Held) -> Held:
        """What another version made is not comparable."""
        if held.state != "changed" or not self.version:
            return held
        return Held("file", held.name, "unverified", f"{held.what}; {self.version}")

    def _fields(self) -> Iterator[Held]:
        record = self.record
        binaries = sorted(self.module.products) if record.get("binaries") else []
        hashes = {name: hash_of(text) for name, text in self.anew.texts.items()}
        compiled = self.anew.compiled
        expected = manifest(compiled, hashes, binaries, self.made.compiler, record.get("conformance"))
        return hold_fields(record, expected, self.version, self.edited)

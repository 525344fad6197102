"""Binaries of a bundle, held against those that are built here from the texts that uol generates."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from uol.backends.toolchain.running import run_tool
from uol.bundle import elf
from uol.bundle.contents import Binaries
from uol.bundle.held import Held
from uol.codegen.backend import Module
from uol.compilation.explain import Json
from uol.ir.errors import ToolchainError


def hold_binary(name: str, content: bytes, made: Binaries, record: Json) -> Held:
    """A file that the target's compiler made."""
    by = record.get("compiler")
    if name not in made.files:
        return Held("file", name, "unverified", f"{by} made it, which is not here")
    if made.files[name] == content:
        return Held("file", name, "ok", f"byte by byte what {made.compiler} makes of the text")
    if by != made.compiler:
        return Held("file", name, "unverified", f"{by} made it, here is {made.compiler}, which makes another one")
    return Held("file", name, "changed", f"not what {made.compiler} makes of the text")


def hold_library(name: str, content: bytes, module: Module, texts: Mapping[str, bytes]) -> Held:
    """The library that `build.sh` makes, against one that is linked here: what of it is loaded, for links differ in names of
    files that were there for a moment, and in hashes over them."""
    anew, log = _linked(name, module, texts)
    if anew is None:
        return Held("file", name, "unverified", f"its build line does not run here: {log}")
    if anew == content:
        return Held("file", name, "ok", "byte by byte what the build line makes of the texts")
    own, other = elf.loaded(anew), elf.loaded(content)
    if own is None:
        return Held("file", name, "changed", "not what the build line makes of the texts")
    if other is None:
        return Held("file", name, "changed", "it is no shared library of this kind of machine, or damaged")
    if differs := elf.difference(own, other):
        return Held("file", name, "changed", f"its {differs} is not what the build line makes of the texts here")
    return Held("file", name, "ok", "its code and data are what the build line makes of the texts")


def _linked(name: str, module: Module, texts: Mapping[str, bytes]) -> tuple[bytes | None, str]:
    """The library that the module's build line makes, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="uol-") as folder:
        for file, text in texts.items():
            (Path(folder) / file).write_bytes(text)
        command = ["sh", "-c", f"set -eu\n{module.build}"]
        try:
            done = run_tool("the build line", command, Path(folder))
        except ToolchainError as error:
            return None, error.message
        library = Path(folder) / name
        if done.returncode or not library.is_file():
            lines = (done.stderr + done.stdout).strip().splitlines()
            return None, lines[-1] if lines else f"exit status {done.returncode}"
        return library.read_bytes(), ""

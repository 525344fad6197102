"""The sources of packages, and what they hold: part of the key of what is made by them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("uol", "uol.ir", "uol.codegen", "uol.backends", "uol.ops", "uol.conformance")
"""They are folders of one another in a wheel, and lie side by side in the repository."""
_NO_SOURCES = frozenset({".md", ".pyc"})
"""What is for people, and what Python makes."""


def package_files(*packages: str) -> Iterator[tuple[str, Path]]:
    """Every source of some of `PACKAGES`, with a name that does not depend on where it lies: `uol/ir/grammar.lark`."""
    for package in packages:
        spec = find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            yield from _files_below(Path(root), package.replace(".", "/"))


def hash_of(files: Iterable[tuple[str, Path]]) -> str:
    """sha256 over files and the names that they go by, in any order."""
    digest = hashlib.sha256()
    for name, file in sorted(files):
        digest.update(f"{name}\0{_content(file)}\n".encode())
    return digest.hexdigest()


@cache
def parser_hash() -> str:
    """sha256 over the sources of the language, and so over what makes a tree of a text."""
    return hash_of(package_files("uol.ir"))


@cache
def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _files_below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for inside in folder.iterdir():
        inner = f"{name}/{inside.name}"
        if inside.is_dir():
            if inside.name != "__pycache__" and inner.replace("/", ".") not in PACKAGES:
                yield from _files_below(inside, inner)
        elif inside.suffix not in _NO_SOURCES:
            yield inner, inside

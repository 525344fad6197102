"""A pack as it lies in its folder: read, and held against the hashes in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uol.conformance.packs.runner.numbers import Array

FORMAT = 3
"""Counts up when a field comes, goes or changes its meaning."""
PACK = "pack.json"
AGAIN = "copy the pack here again, or make it anew with `uol pack`"

Json = Mapping[str, Any]


class BadInputError(Exception):
    """What is wrong with what the runner was given, and what to do: one line."""


@dataclass(frozen=True, slots=True)
class Pack:
    """`fields` are those of pack.json."""

    folder: Path
    fields: Json

    @property
    def cases(self) -> Sequence[Json]:
        found: Sequence[Json] = self.fields["cases"]
        return found

    def bytes_of(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def arrays(self, case: Json) -> dict[str, Array]:
        """All arrays of a case as they are stored: "in.NAME", and what its results owe (`stored.py`)."""
        with np.load(self.folder / case["arrays"], allow_pickle=False) as held:
            return dict(held)


def read_pack(folder: Path) -> Pack:
    """The pack, every file of which is the one that was packed. Raises BadInputError, with the file, where one is not."""
    file = folder / PACK
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}: {AGAIN}") from error
    except ValueError as error:
        raise BadInputError(f"{file} is no JSON: {AGAIN}") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise BadInputError(f"{file} is not of format {FORMAT}, which this runner reads: {AGAIN}")
    if fields.get("seal") != seal(fields):
        raise BadInputError(f"{file} was changed since it was packed: {AGAIN}")
    for name, digest in fields["files"].items():
        _require(folder / name, digest)
    return Pack(folder, fields)


def seal(fields: Json) -> str:
    """sha256 over all other fields."""
    text = json.dumps({name: value for name, value in fields.items() if name != "seal"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _require(file: Path, digest: str) -> None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInputError(f"{file} is missing ({error.strerror}): {AGAIN}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise BadInputError(f"{file} was changed since it was packed: {AGAIN}")

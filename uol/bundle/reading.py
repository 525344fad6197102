"""A bundle as it lies there: its manifest and its files. Nothing of it is believed, and nothing of it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uol.bundle.contents import MANIFEST
from uol.bundle.manifest import FORMAT
from uol.bundle.selftest import read_files
from uol.compilation.explain import Json
from uol.ir.errors import ResourceError, UolError

ESSENTIAL = ("text", "op", "target", "files")
"""An object with none of these fields, and no format, is some other JSON."""

HINT = "write the bundle anew with `uol compile -o`"


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest's fields, its text, and the content of each file by name (None for a link and what else is no plain file)."""

    folder: Path
    record: Json
    manifest: bytes
    files: Mapping[str, bytes | None]


def read_bundle(folder: Path) -> Found:
    """Raises ResourceError where the folder holds no manifest, UolError for one that is none, or of another format."""
    file = folder / MANIFEST
    if not file.is_file():
        raise ResourceError(f"{str(folder)!r} holds no {MANIFEST}", hint="give a folder that `uol compile -o` wrote")
    content = file.read_bytes()
    record = _record(file, content)
    return Found(folder, record, content, read_files(folder))


def _record(file: Path, content: bytes) -> Json:
    try:
        record = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise UolError(f"{file} is no manifest of a bundle: it is nested too deeply", hint=HINT) from error
    except ValueError as error:
        raise UolError(f"{file} is no manifest of a bundle: {error}", hint=HINT) from error
    if not isinstance(record, dict):
        raise UolError(f"{file} is no manifest of a bundle: it is no JSON object", hint=HINT)
    if "format" not in record:
        if not all(name in record for name in ESSENTIAL):
            raise UolError(f"{file} is no manifest of a bundle: it has no format", hint=HINT)
    elif record["format"] != FORMAT or isinstance(record["format"], bool):
        raise UolError(
            f"{file} is of the format {_shown(record['format'])}, and this uol reads {FORMAT}",
            hint=f"check it with the uol that wrote it{_version(record)}, or {HINT}",
        )
    return record


def _version(record: Json) -> str:
    tools = record.get("tools")
    return f" ({_shown(tools['uol'])})" if isinstance(tools, dict) and "uol" in tools else ""


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."

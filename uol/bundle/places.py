"""Which folder a bundle goes to: never that of a bundle for another size, type or attribute."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uol.bundle.contents import MANIFEST, size_texts
from uol.bundle.manifest import is_deterministic, is_in_tf32
from uol.ir.errors import ResourceError
from uol.json_text import finite_json, json_text

if TYPE_CHECKING:
    from uol.compiler import Compiled

IDENTITY = ("op", "symbol", "target", "types", "dims", "packs", "attributes", "layouts", "deterministic", "tf32")
"""The fields of a manifest that tell requests apart. A text that was edited is the same operator: its bundle is replaced."""

LONGEST = 120
"""Characters of a folder's name, beyond which a hash stands for sizes and attributes."""


def bundle_name(compiled: Compiled) -> str:
    """`"softmax-cuda-a100"`: the symbol, which is the operator's name where nothing else was asked for, and the target."""
    return f"{compiled.module.graph.name}-{compiled.request.target.name.replace(':', '-')}"


def places_of(compiled: Sequence[Compiled], path: Path) -> list[Path]:
    """For each its folder below `path`: the plain name, where that is free or holds the same request, else the name with
    types and sizes, with attributes, with a hash of the request.

    Raises ResourceError where a folder of that name is there and no bundle.
    """
    places: list[Path] = []
    taken: dict[Path, object] = {}
    for each in compiled:
        own = identity(each)
        place = next(p for p in (path / name for name in _names(each)) if (taken.get(p) or _held_by(p) or own) == own)
        taken[place] = own
        places.append(place)
    return places


def identity(compiled: Compiled) -> object:
    """The request as its manifest has it."""
    request = compiled.request
    instance = request.instance
    values = (
        *(instance.op.name, compiled.module.graph.name, request.target.name, dict(instance.types), dict(instance.dims)),
        *(dict(instance.packs), dict(instance.attrs), dict(request.layouts)),
        *(is_deterministic(compiled.module), is_in_tf32(compiled.module)),
    )
    return json.loads(json_text(dict(zip(IDENTITY, values, strict=True))))


def _held_by(place: Path) -> object:
    """The request of the bundle there; None where nothing is there, an empty record where its manifest cannot be read."""
    if not place.exists():
        return None
    if not (place / MANIFEST).is_file():
        raise ResourceError(f"{str(place)!r} exists and is no bundle", hint="move it away, or choose another folder")
    try:
        record = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return {"unreadable": True}
    return finite_json({name: record.get(name) for name in IDENTITY})


def _names(compiled: Compiled) -> Iterator[str]:
    plain = bundle_name(compiled)
    instance = compiled.request.instance
    digest = hashlib.sha256(json_text(identity(compiled)).encode()).hexdigest()[:8]
    sized = "-".join([plain, *instance.types.values(), *size_texts(compiled)])
    attributes = "-".join([sized, *(f"{name}={value}" for name, value in instance.attrs.items())])
    yield plain
    yield from (_as_file_name(name) for name in (sized, attributes) if len(name) <= LONGEST)
    yield f"{plain}-{digest}"


def _as_file_name(text: str) -> str:
    """`softmax-cuda-a100-f32-C70-S50x2`."""
    return re.sub(r"[^\w.+-]", "", text)

"""What users type after `--dims`, `--attrs` and `--dtype`, and the operators they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uol.catalogue import find_operator
from uol.ir.errors import ResourceError, ShapeError
from uol.ir.syntax import Op
from uol.named_dims import Size
from uol.registration import op as register


def read_operator(name: str) -> Op:
    """A library operator by name, or the last operator of a `.uol` file."""
    if not name.endswith(".uol"):
        return find_operator(name)
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows begin a text with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ResourceError(f"cannot read {name!r}: {reason}", hint="give the path of a .uol text") from error
    return register(text, file=str(path)).op


def read_dims(parts: list[str]) -> dict[str, Size]:
    """`["N=1,C=64", "S=8x128"]` -> `{"N": 1, "C": 64, "S": (8, 128)}`; `S=` is a pack of no dims, `S=_x64` one whose first
    dim is open."""
    return {name: _size(name, text) for name, text in _pairs(parts, "dims", "N=1,C=64").items()}


def read_attributes(parts: list[str]) -> dict[str, int | float]:
    """`["stride=2,eps=1e-5"]` -> `{"stride": 2, "eps": 1e-05}`."""
    return {name: _number(name, text) for name, text in _pairs(parts, "attributes", "stride=2,eps=1e-5").items()}


def _pairs(parts: list[str], what: str, example: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for part in (p.strip() for text in parts for p in text.split(",")):
        name, equals, value = (t.strip() for t in part.partition("="))
        if not part:
            continue
        if not equals or not name.isidentifier():
            raise ShapeError(f"cannot read the {what} {part!r}", hint=f"write them as {example}")
        if name in pairs:
            raise ShapeError(f"{name} is given twice", hint="give each name once")
        pairs[name] = value
    return pairs


def _size(name: str, text: str) -> Size:
    try:
        sizes = tuple(None if part == "_" else int(part) for part in text.split("x")) if text else ()
    except ValueError:
        hint = f"write {name}=64, or {name}=8x128 for a pack of dims"
        raise ShapeError(f"the size of {name} is {text!r}, not a whole number", hint=hint) from None
    return sizes[0] if len(sizes) == 1 else sizes


def _number(name: str, text: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ShapeError(f"the attribute {name} is {text!r}, not a number", hint=f"write {name}=2 or {name}=0.5")

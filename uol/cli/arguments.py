"""What users type after `--dims`, `--attrs` and `--dtype`, and the operators they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uol.binding.argument_checks import nearest
from uol.binding.named_binding import Size
from uol.ir.errors import ShapeError, UolError
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.operators.sources import import_operators, operators_of_file


def read_operator(name: str, modules: Sequence[str] = ()) -> Op:
    """One operator: by name, after `modules` are imported; the last of a `.uol` file; or `FILE.uol:op`."""
    for module in modules:
        import_operators(module)
    return read_operators(name)[-1]


def read_operators(name: str) -> tuple[Op, ...]:
    """The operators of a name: one of the catalogue, all of a `.uol` file, or the one that `FILE.uol:op` names."""
    file, one = file_of(name)
    if file is None:
        return (find_operator(name),)
    found = operators_of_file(file)
    if one is None:
        return found
    chosen = [op for op in found if op.name == one]
    if not chosen:
        names = [op.name for op in found]
        raise UolError(f"{file} has no operator {one!r}", hint=nearest(one, names) or f"its operators are {', '.join(names)}")
    return tuple(chosen)


def file_of(name: str) -> tuple[str | None, str | None]:
    """`"own.uol:relu"` -> the file and the operator; no file for the name of an operator, no operator for all of a file."""
    if name.endswith(".uol"):
        return name, None
    file, colon, one = name.rpartition(":")
    return (file, one) if colon and file.endswith(".uol") else (None, None)


def listed(text: str, what: str, example: str) -> list[str]:
    """The names between commas. Raises UolError for none: a check of nothing must not pass."""
    names = [n.strip() for n in text.split(",") if n.strip()]
    if not names:
        raise UolError(f"no {what} given: {text!r}", hint=f"for example {example}")
    return names


def refuse_beside(chosen: str, others: Mapping[str, object]) -> None:
    """What would be ignored is an error."""
    for name, value in others.items():
        if value:
            raise UolError(f"{name} says nothing beside {chosen}", hint="operators and model paths are taken one at a time")


def read_dims(parts: Sequence[str]) -> dict[str, Size]:
    """`["N=1,C=64", "S=8x128"]` -> `{"N": 1, "C": 64, "S": (8, 128)}`; `S=` is a pack of no dims, `S=_x64` one whose first
    dim is open."""
    return {name: _size(name, text) for name, text in _pairs(parts, "dims", "N=1,C=64").items()}


def read_attributes(parts: Sequence[str]) -> dict[str, int | float]:
    """`["stride=2,eps=1e-5"]` -> `{"stride": 2, "eps": 1e-05}`."""
    return {name: _number(name, text) for name, text in _pairs(parts, "attributes", "stride=2,eps=1e-5").items()}


def _pairs(parts: Sequence[str], what: str, example: str) -> Mapping[str, str]:
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

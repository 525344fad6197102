"""Schedules as text: `kind=tile,m=128,n=128,k=16,thread_m=8,thread_n=8`.

A schedule is a frozen dataclass that belongs to a backend. Its fields are integers, truth values, names (of axes, or of a few
choices) and tuples of names, so that every schedule prints and parses, and its text can stand in a cache key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from math import log2
from typing import Any, Literal, get_args, get_origin, get_type_hints

from uol.codegen.backend import Schedule
from uol.ir.errors import ScheduleError

KIND, KERNEL = "kind", "kernel"
"""Two names that are no fields: which dataclass it is, and which kernel of the operator it is for."""
BETWEEN_NAMES = "+"
EXAMPLE = "m=128,n=64, with fields of the backend's schedules (uol explain --schedules lists them)"


def kind_name(kind: type) -> str:
    """The kind of a schedule as users write it.

    >>> class BlockPerRow: ...
    >>> kind_name(BlockPerRow)
    'block_per_row'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Schedule")).lower()


def schedule_text(schedule: Schedule) -> str:
    """A schedule with all of its fields."""
    values = (f"{name}={_field_text(getattr(schedule, name))}" for name in field_types(type(schedule)))
    return ",".join([f"{KIND}={kind_name(type(schedule))}", *values])


def parse_fields(text: str) -> dict[str, str]:
    """`"m=128,n=64"` as a mapping. Raises ScheduleError for what is not of that form."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (t.strip() for t in part.partition("="))
        if not equals or not name.isidentifier():
            raise ScheduleError(f"cannot read {part.strip()!r} in the schedule {text!r}", hint=f"write {EXAMPLE}")
        if name in found:
            raise ScheduleError(f"{name} is given twice in the schedule {text!r}", hint="give each field once")
        found[name] = value
    return found


def kind_of(name: str, kinds: Iterable[type]) -> type:
    """The dataclass of a kind's name. Raises ScheduleError, with the kinds that there are."""
    by_name = {kind_name(k): k for k in kinds}
    if name not in by_name:
        raise ScheduleError(f"there is no kind of schedule {name!r} here", hint=f"the kinds are {', '.join(by_name) or 'none'}")
    return by_name[name]


def field_values(kind: type, given: Mapping[str, str]) -> dict[str, object]:
    """Fields of a kind by name, read by their types. Raises ScheduleError for an unknown field and a value of another type."""
    types = field_types(kind)
    for name in given:
        if name not in types:
            raise ScheduleError(f"{kind_name(kind)} has no field {name!r}", hint=f"its fields are {_listed(kind)}")
    return {name: _value(f"{kind_name(kind)}.{name}", text, types[name]) for name, text in given.items()}


@cache
def field_types(kind: type) -> dict[str, Any]:
    """The fields of a kind with their types."""
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def distance(a: Schedule, b: Schedule) -> float:
    """How far apart two schedules are: numbers by their ratio, in powers of two; all else by whether it differs."""
    if type(a) is not type(b):
        return float("inf")
    return sum(_apart(getattr(a, name), getattr(b, name)) for name in field_types(type(a)))


def _apart(a: object, b: object) -> float:
    if isinstance(a, int) and isinstance(b, int) and min(a, b) > 0:
        return abs(log2(a / b))
    return float(a != b)


def _field_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return BETWEEN_NAMES.join(value) if isinstance(value, tuple) else str(value)


def _value(name: str, text: str, kind: Any) -> object:
    if get_origin(kind) is tuple:
        return tuple(filter(None, text.split(BETWEEN_NAMES)))
    if kind is int and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind is str or (get_origin(kind) is Literal and text in get_args(kind)):
        return text
    if kind is bool and text in ("true", "false"):
        return text == "true"
    choices = {int: "an integer", bool: "true or false"}.get(kind) or f"one of {', '.join(map(str, get_args(kind)))}"
    raise ScheduleError(f"{name} is {text!r}", hint=f"it is {choices}")


def _listed(kind: type) -> str:
    return ", ".join(field_types(kind)) or "none"

"""Frozen dataclasses as bytes, and back: a format that holds data alone.

    RECORDS = Records(Module, kinds={Schedule: (Tiles, Elementwise)})
    RECORDS.decode(RECORDS.encode(module)) == module

Nothing in it can name code to run: what is read becomes an instance of the type that was asked for, of those that its fields
are declared with, or of their subclasses, and each value is held against the declaration. Anything else is a RecordError.

A line of JSON, `{"types": [names], "rows": [...]}`, then the bytes of all `bytes` values. A row is made of values and of rows
before it, the last one is the whole; what is used twice is written once:

    [n, fields...]   an instance of the n-th type      [-2, key, value, ...]     a mapping
    [-1, items...]   a tuple                           [-3, start, length]       bytes
    value            null, true, 3, 0.5, "text", or [row]
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from sys import intern
from typing import Any, Generic, TypeVar

Root = TypeVar("Root")
Admits = Callable[[object], bool]

_TUPLE, _MAPPING, _BYTES = -1, -2, -3
_PLAIN = (type(None), bool, int, float, str)


class RecordError(ValueError):
    """Bytes that are no record of the type that was asked for."""


class Records(Generic[Root]):
    """Records of one type. `kinds` gives the types that stand for a protocol."""

    def __init__(self, root: type[Root], kinds: Mapping[type, Iterable[type]] | None = None) -> None:
        self.root = root
        self._vocabulary = _Vocabulary({protocol: tuple(ts) for protocol, ts in (kinds or {}).items()})

    def encode(self, value: Root) -> bytes:
        """Raises TypeError for a value of a type that a record cannot hold."""
        writer = _Writer()
        writer.write(value)
        head = json.dumps({"types": list(writer.types), "rows": writer.rows}, separators=(",", ":"))
        return head.encode() + b"\n" + b"".join(writer.blobs)

    def decode(self, data: bytes) -> Root:
        """Raises RecordError for anything that `encode` would not write."""
        head, newline, blob = data.partition(b"\n")
        try:
            document = json.loads(head)
            names, rows = document["types"], document["rows"]
            value = _Reader(self._vocabulary.types_of(self.root, names), blob).read(rows)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise RecordError(f"no record of {self.root.__name__}: {error}") from error
        if not newline or type(value) is not self.root:
            raise RecordError(f"no record of {self.root.__name__}")
        return value


class _Writer:
    """Rows of a value, without recursion: expressions may be deep."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.rows: list[list[object]] = []
        self.blobs: list[bytes] = []
        self._length = 0
        self._places: dict[int, list[int]] = {}  # of values that the root keeps alive, by id

    def write(self, root: object) -> None:
        pending = [root]
        while pending:
            value = pending[-1]
            parts = [] if id(value) in self._places else _parts(value)
            missing = [p for p in parts if type(p) not in _PLAIN and id(p) not in self._places]
            if missing:
                pending += missing
                continue
            pending.pop()
            if id(value) not in self._places:
                self.rows.append(self._row(value, parts))
                self._places[id(value)] = [len(self.rows) - 1]

    def _row(self, value: object, parts: list[object]) -> list[object]:
        written = [p if type(p) in _PLAIN else self._places[id(p)] for p in parts]
        match value:
            case tuple():
                return [_TUPLE, *written]
            case bytes():
                self.blobs.append(value)
                self._length += len(value)
                return [_BYTES, self._length - len(value), len(value)]
            case dict() | types.MappingProxyType():
                return [_MAPPING, *written]
        return [self.types.setdefault(_name(type(value)), len(self.types)), *written]


def _parts(value: object) -> list[object]:
    """What a value is made of, in the order of its row."""
    if type(value) is tuple:
        return list(value)
    if type(value) is bytes:
        return []
    if type(value) in (dict, types.MappingProxyType):
        return [part for item in typing.cast("dict[object, object]", value).items() for part in item]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, name) for name in _field_names(type(value))]
    raise TypeError(f"a record cannot hold {type(value).__name__}")


class _Reader:
    def __init__(self, known: list[_Type], blob: bytes) -> None:
        self._known = known
        self._blob = blob

    def read(self, rows: list[list[Any]]) -> Any:
        """The value of the last row."""
        values: list[Any] = []
        for number, *written in rows:
            parts = [self._part(values, p) for p in written]
            if number >= 0:
                values.append(self._known[number].make(parts))
            elif number == _TUPLE:
                values.append(tuple(parts))
            elif number == _MAPPING:
                values.append(dict(zip(parts[::2], parts[1::2], strict=True)))
            elif number == _BYTES:
                start, length = parts
                if not 0 <= start <= start + length <= len(self._blob):
                    raise ValueError("bytes beyond the end")
                values.append(self._blob[start : start + length])
            else:
                raise ValueError(f"there is no row of kind {number}")
        return values[-1]

    def _part(self, values: list[Any], written: Any) -> Any:
        if type(written) is str:
            return intern(written)  # names stand in hundreds of rows, of many records
        if type(written) is not list:
            return written
        (row,) = written
        if row < 0:
            raise IndexError("a row before the first")
        return values[row]


@dataclasses.dataclass(frozen=True, slots=True)
class _Type:
    """A dataclass, with its fields and what each admits."""

    of: type
    fields: tuple[tuple[str, Admits], ...]

    def make(self, parts: list[Any]) -> object:
        arguments = {}
        for (name, admits), value in zip(self.fields, parts, strict=True):
            if not admits(value):
                raise TypeError(f"{self.of.__name__}.{name} is no {type(value).__name__}")
            arguments[name] = value
        return self.of(**arguments)


class _Vocabulary:
    """The dataclasses that may stand in a record, by name: those that fields are declared with, from the root on, and their
    subclasses. They are looked up when a record names them."""

    def __init__(self, kinds: dict[type, tuple[type, ...]]) -> None:
        self._kinds = kinds
        self._names: dict[str, type] | None = None
        self._types: dict[str, _Type] = {}

    def types_of(self, root: type, names: list[str]) -> list[_Type]:
        if self._names is None or not self._names.keys() >= set(names):
            self._names = {_name(found): found for found in self._reached(root)}
        for name in names:
            if name not in self._types:
                self._types[name] = self._type(self._names[name])
        return [self._types[name] for name in names]

    def _reached(self, root: type) -> set[type]:
        found: set[type] = set()
        pending: list[type] = [root]
        while pending:
            one = pending.pop()
            if one in found:
                continue
            found.add(one)
            pending += filter(_is_public, one.__subclasses__())
            for hint in _hints(one).values():
                pending += self._dataclasses(hint)
        return found

    def _dataclasses(self, hint: Any) -> list[type]:
        if hint in self._kinds:
            return list(self._kinds[hint])
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return [hint]
        return [found for part in typing.get_args(hint) for found in self._dataclasses(part)]

    def _type(self, of: type) -> _Type:
        hints = _hints(of)
        return _Type(of, tuple((name, self._admits(hints[name])) for name in _field_names(of)))

    def _admits(self, hint: Any) -> Admits:
        """Whether a value is of a declared type."""
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            return _any_of([self._admits(part) for part in parts])
        if origin is typing.Literal:
            return lambda value: any(value == part and type(value) is type(part) for part in parts)
        if origin is tuple:
            return _tuple_of([self._admits(p) for p in parts if p is not Ellipsis], repeats=Ellipsis in parts)
        if origin in (dict, Mapping):
            key, item = map(self._admits, parts)
            return lambda value: isinstance(value, dict) and all(key(k) and item(v) for k, v in value.items())
        if hint is float:
            return lambda value: type(value) in (float, int)
        if hint in (*_PLAIN, bytes):
            return lambda value: type(value) is hint
        if hint in self._kinds:
            kinds = self._kinds[hint]
            return lambda value: type(value) in kinds
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return lambda value: isinstance(value, hint)
        raise TypeError(f"a record cannot hold {hint}")


def _any_of(admitted: list[Admits]) -> Admits:
    return lambda value: any([admits(value) for admits in admitted])


def _tuple_of(admitted: list[Admits], *, repeats: bool) -> Admits:
    if repeats:
        (each,) = admitted
        return lambda value: type(value) is tuple and all([each(item) for item in value])
    return lambda value: (
        type(value) is tuple
        and len(value) == len(admitted)
        and all([admits(item) for admits, item in zip(admitted, value, strict=True)])
    )


def _is_public(of: type) -> bool:
    """Is a class what its module has under its name? One with slots is a copy of a class that stays behind as a subclass."""
    return getattr(sys.modules.get(of.__module__), of.__name__, None) is of


def _name(of: type) -> str:
    return f"{of.__module__}.{of.__qualname__}"


@cache
def _field_names(of: type) -> tuple[str, ...]:
    fields = dataclasses.fields(of)
    if not all(field.init for field in fields):
        raise TypeError(f"{of.__name__} has a field that its constructor does not take")
    return tuple(field.name for field in fields)


@cache
def _hints(of: type) -> dict[str, Any]:
    return typing.get_type_hints(of) if dataclasses.is_dataclass(of) else {}

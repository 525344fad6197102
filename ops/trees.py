"""Texts as trees, kept in the cache folder: a text that was parsed once needs no parser again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from uol.backends.cache.files import Key, open_cache, parser_hash
from uol.backends.cache.records import RecordError, Records
from uol.ir.errors import ResourceError
from uol.ir.syntax.surface import Op


@dataclass(frozen=True, slots=True)
class _Kept:
    """The operators of a text by name, each a record of its own, compressed to a seventh: few of a family are asked for, and
    the others stay in memory."""

    ops: Mapping[str, bytes]


_KEPT, _OP = Records(_Kept), Records(Op)


def trees_of(text: str, file: str = "<text>") -> Mapping[str, Op]:
    """What `parse` gives, by name. Raises ParseError; where the cache folder cannot be written, nothing is kept."""
    made_by = {"parser": parser_hash(), "lark": metadata.version("lark")}
    key = Key({"stage": "compressed trees", "text": text, "file": file, **made_by})
    try:
        kept = open_cache().record(key, _KEPT, lambda: _kept(_parsed(text, file)))
        return _Trees(kept.ops, text, file)
    except ResourceError:
        return {op.name: op for op in _parsed(text, file)}


def _kept(ops: tuple[Op, ...]) -> _Kept:
    return _Kept({op.name: zlib.compress(_OP.encode(op)) for op in ops})


def _parsed(text: str, file: str) -> tuple[Op, ...]:
    from uol.ir.syntax.parser import parse

    return parse(text, file)


class _Trees(Mapping[str, Op]):
    """Operators that are decoded when they are asked for."""

    def __init__(self, kept: Mapping[str, bytes], text: str, file: str) -> None:
        self._kept = kept
        self._text = text
        self._file = file
        self._ops: dict[str, Op] = {}

    def __getitem__(self, name: str) -> Op:
        if name not in self._ops:
            self._ops[name] = self._decoded(name)
        return self._ops[name]

    def _decoded(self, name: str) -> Op:
        payload = self._kept[name]
        try:
            return _OP.decode(zlib.decompress(payload))
        except (RecordError, zlib.error):
            return next(op for op in _parsed(self._text, self._file) if op.name == name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

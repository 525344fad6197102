"""Records of measurements as files: JSON of a kind and a format, which somebody may have edited."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from uol.ir.errors import ResourceError, UolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordFile:
    """`of`: what its records are of, as errors say it ("a pack"); `hint`: which file to give."""

    of: str
    kind: str
    format: int
    hint: str

    def read(self, path: Path, take: Callable[[Mapping[str, Any]], T]) -> T:
        """What `take` makes of the record's fields, of which it may expect all. Raises ResourceError where the file cannot be
        read, UolError where it is no such record."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ResourceError(f"cannot read {str(path)!r}: {error.strerror or error}", hint=self.hint) from error
        except (ValueError, RecursionError) as error:
            raise self._foreign(path, "it is not JSON") from error
        if not isinstance(data, dict) or data.get("kind") != self.kind:
            raise self._foreign(path, f"its kind is not {self.kind!r}")
        if data.get("format") != self.format:
            raise self._foreign(path, f"its format is {data.get('format')!r}, and {self.format} is known here")
        try:
            return take(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._foreign(path, f"{type(error).__name__}: {error}") from error

    def _foreign(self, path: Path, why: str) -> UolError:
        return UolError(f"{str(path)!r} is no record of {self.of}: {why}", hint=self.hint)

"""The kinds of twins that there are."""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends import registry
from uol.backends.twin.kind import TwinKind, kind_of
from uol.ir.errors import UolError


def twin_kinds() -> Iterator[TwinKind]:
    """Of every target that has one."""
    for name in registry.names():
        try:
            yield kind_of(name)
        except UolError:
            continue

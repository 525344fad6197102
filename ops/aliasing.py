"""Which inputs an operator's results may overwrite: `aliases.toml`, and what users register."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_registered: dict[str, Mapping[str, str]] = {}


def aliases_of(op: str) -> Mapping[str, str]:
    """Result by the input whose memory it takes; empty for an operator that overwrites nothing."""
    return _registered.get(op) or _library().get(op, {})


def register_aliases(op: str, aliases: Mapping[str, str]) -> None:
    """Takes in what was checked by `uol.ir.checker.aliasing.check_aliases`."""
    _registered[op] = dict(aliases)


@cache
def _library() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(files("uol.ops").joinpath("aliases.toml").read_text(encoding="utf-8"))

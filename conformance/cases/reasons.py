"""What is known to cost more, by operator and dim, and why: a file of reasons beside a command."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files


def reasons_of(command: str) -> Mapping[tuple[str, str], str]:
    """Of COMMAND.toml: entries of an operator, `dims` and `why`."""
    table = tomllib.loads(files("uol.conformance").joinpath(f"{command}.toml").read_text(encoding="utf-8"))
    return {(op, dim): known["why"] for op, entries in table.items() for known in entries for dim in known["dims"]}

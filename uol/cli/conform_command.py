"""`uol conform`: does a target compute what the texts mean?"""

from __future__ import annotations

from uol.cli.options import JsonOption


def conform(as_json: JsonOption = False) -> None:
    """Check operators and model paths on every target."""
    raise NotImplementedError

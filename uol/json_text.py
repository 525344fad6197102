"""JSON that every reader takes."""

from __future__ import annotations

import json
import math


def json_text(value: object, indent: int = 2) -> str:
    """The value as JSON (RFC 8259, which has no number for NaN and the infinities: they are the texts "nan", "inf", "-inf").

    >>> json_text({"max_abs": math.inf}, indent=0)
    '{\\n"max_abs": "inf"\\n}'
    """
    return json.dumps(finite_json(value), indent=indent, allow_nan=False, default=str)


def finite_json(value: object) -> object:
    """The value with lists for tuples, and texts for the numbers that JSON has not."""
    match value:
        case float() if not math.isfinite(value):
            return str(float(value))
        case dict():
            return {key: finite_json(each) for key, each in value.items()}
        case list() | tuple():
            return [finite_json(each) for each in value]
    return value

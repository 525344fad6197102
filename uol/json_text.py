"""JSON that every reader takes."""

from __future__ import annotations

import json
import math


def json_text(value: object, indent: int = 2) -> str:
    """The value as JSON (RFC 8259, which has no number for NaN and the infinities: they are the texts "nan", "inf", "-inf").

    >>> json_text({"max_abs": math.inf}, indent=0)
    '{\\n"max_abs": "inf"\\n}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False, default=str)


def _finite(value: object) -> object:
    match value:
        case float() if not math.isfinite(value):
            return str(float(value))
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
    return value

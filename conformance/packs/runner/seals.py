"""Seals of a record: which field is missing from it, or is not what the runner wrote.

A seal is of one field, at the top or of a case, so that what was edited is named. It keeps from mistakes, not from whoever
seals anew what they have made up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SEALS = "seals"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with a seal for each of its fields, and for each field of its cases, whose names are sealed together."""
    cases = [{**case, SEALS: _seals(case)} for case in record["cases"]]
    whole = {name: value for name, value in record.items() if name != "cases"}
    return {**whole, "cases": cases, SEALS: {**_seals(whole), "cases": _seal(_names(cases))}}


def spoilt(record: Mapping[str, Any], fields: Sequence[str], of_case: Sequence[str]) -> Iterator[str]:
    """What is wrong with a sealed record, in words: fields that are missing, and fields that were changed. `fields` and
    `of_case` are those that it must have."""
    whole = {name: value for name, value in record.items() if name != "cases"}
    yield from _wrong(whole, {**record.get(SEALS, {}), "cases": None}, fields, "the record")
    cases = record.get("cases", [])
    if record.get(SEALS, {}).get("cases") != _seal(_names(cases)):
        yield "cases: one is missing, or is not the runner's"
    for case in cases:
        yield from _wrong(case, case.get(SEALS, {}), of_case, str(case.get("name", "a case without a name")))


def _wrong(held: Mapping[str, Any], seals: Mapping[str, Any], wanted: Sequence[str], where: str) -> Iterator[str]:
    for name in dict.fromkeys((*wanted, *seals)):
        if name not in held and name != "cases":
            yield f"{name} of {where} is missing"
    for name, value in held.items():
        if name != SEALS and seals.get(name) != _seal(value):
            yield f"{name} of {where} was changed since it was measured"


def _names(cases: Sequence[Mapping[str, Any]]) -> list[object]:
    return [case.get("name") for case in cases]


def _seals(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: _seal(value) for name, value in fields.items() if name != SEALS}


def _seal(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

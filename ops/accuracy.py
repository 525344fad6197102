"""What accuracy a user's operator owes where that differs from the common contract (`uol.conformance.accuracy.contracts`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from uol.ir.errors import UolError
from uol.ir.functions import FUNCTIONS
from uol.ir.library import GRADIENT

Section = Mapping[str, float | bool]

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "rounding": ("arithmetic", "division"),
    "reductions": ("sum", "prod"),
    "typical": ("sum",),
    "functions": tuple(name for name, function in FUNCTIONS.items() if function.ulp),
    "subnormals": ("functions", "arithmetic", "products_of_bf16"),
}
"""The sections of a contract and their entries: bounds in ulp, growth of reductions, how large
errors of sums are as a rule, and what may be flushed to zero."""

_registered: dict[str, Mapping[str, Section]] = {}


def check_contract(op: str, contract: Mapping[str, object]) -> None:
    """Raises UolError for a section or an entry that there is not, and for a value that bounds nothing.

    >>> check_contract("mine", {"functions": {"exp": 4.0}, "rounding": {"division": 1.0}})
    """
    for section, entries in contract.items():
        if section not in SECTIONS:
            raise UolError(f"{op}: a contract has no section {section!r}", hint=f"its sections are {', '.join(SECTIONS)}")
        if not isinstance(entries, Mapping):
            hint = f'write contract={{"{section}": {{"{SECTIONS[section][0]}": 1.0}}}}'
            raise UolError(f"{op}: the section {section} is {entries!r}, not a dict", hint=hint)
        for name, value in entries.items():
            _check_entry(op, section, name, value)


def _check_entry(op: str, section: str, name: object, value: object) -> None:
    if name not in SECTIONS[section]:
        hint = f"its entries are {', '.join(SECTIONS[section])}"
        raise UolError(f"{op}: the section {section} of a contract has no entry {name!r}", hint=hint)
    if section == "subnormals":
        if not isinstance(value, bool):
            raise UolError(f"{op}: {section}.{name} is {value!r}", hint="write True or False")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise UolError(f"{op}: {section}.{name} is {value!r}, which bounds no error", hint="a bound is a number from 0 on")


def register_contract(op: str, contract: Mapping[str, Section]) -> None:
    """Takes in what `check_contract` has checked."""
    _registered[op] = {section: dict(entries) for section, entries in contract.items()}


def contract_of(op: str) -> Mapping[str, Section]:
    """The sections that an operator was registered with, by name; its gradient has the same. Empty for most."""
    return _registered.get(op) or _registered.get(op.removesuffix(GRADIENT), {})

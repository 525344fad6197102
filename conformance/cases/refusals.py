"""Which refusals of the library are known, and why: refusals.toml. One that does not stand there is a failure, so that an
operator cannot lose a target without a word."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from uol.conformance.cases.verdict import Case, Verdict
from uol.ir.library import GRADIENT, SAVING
from uol.ops.texts import family_of


@dataclass(frozen=True, slots=True)
class Documented:
    """A kind of refusal: the backend, globs over operators and types, a regular expression that the message holds, and why."""

    target: str
    ops: tuple[str, ...]
    types: tuple[str, ...]
    reason: str
    why: str

    def covers(self, case: Case, message: str) -> bool:
        """Is this refusal one of the kind?"""
        is_of_target = case.target.partition(":")[0] == self.target
        is_of_kind = any(fnmatchcase(case.op, o) for o in self.ops) and any(fnmatchcase(case.dtype, t) for t in self.types)
        return is_of_target and is_of_kind and re.search(self.reason, message) is not None


@cache
def documented() -> tuple[Documented, ...]:
    """The entries of refusals.toml."""
    table = tomllib.loads(files("uol.conformance.cases").joinpath("refusals.toml").read_text(encoding="utf-8"))
    return tuple(Documented(r["target"], tuple(r["ops"]), tuple(r["types"]), r["reason"], r["why"]) for r in table["refusal"])


def refused(case: Case, message: str) -> Verdict:
    """The verdict on a case that its target has no kernel for. What a user registers may be refused for any reason that is
    given: the table is of the library."""
    if not is_of_library(case.op) or any(d.covers(case, message) for d in documented()):
        return Verdict(case, "refused", message)
    return Verdict(case, "failed", f"refused, and refusals.toml says nothing of it: {message}")


def is_of_library(op: str) -> bool:
    """Whether an operator is the library's, or made from one of it."""
    return any(family_of(op.removesuffix(suffix)) is not None for suffix in ("", GRADIENT, SAVING))

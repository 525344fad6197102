"""The mutator: emitted kernel text in, the same text with one fault in it out, for every fault that the rules can put there.

    sync         a barrier, a flag that is set or awaited, or both sides of a flag, dropped
    guard        a condition of an access, store or branch replaced by true
    comparison   < for <= and the like, or a bound moved by one
    loop         one trip more or fewer, a start or a step off by one
    extent       an array one element smaller
    constant     a pitch, stride, padding, offset or count off by one
    cast         a conversion dropped, or rounded differently
    initial      an initial value changed: 0 to 1, an infinity to 0
    dropped      an initial value, or the fill of an on-chip tensor, dropped
    copy         a parameter of a copy, matrix load or store instruction off by one

The rules know C++ and the names of the vendors' instructions, nothing of any generator. Comments, strings, includes and
pragmas are left as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from uol.backends.c_text.source_tokens import Token, tokenize
from uol.conformance.mutation import control_faults, value_faults
from uol.conformance.mutation.fault_places import Edit

Rule = Callable[[list[Token]], Iterator[Edit]]

RULES: dict[str, Rule] = {
    "sync": control_faults.dropped_synchronisation,
    "guard": control_faults.dropped_guards,
    "comparison": control_faults.shifted_comparisons,
    "loop": control_faults.shifted_loops,
    "extent": value_faults.shrunk_arrays,
    "constant": value_faults.shifted_constants,
    "cast": value_faults.changed_casts,
    "initial": value_faults.changed_initial_values,
    "dropped": value_faults.dropped_initial_values,
    "copy": value_faults.shifted_copy_parameters,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A text with one fault. `key` identifies it by content: kind, the line it is in, what was exchanged, and which of
    several equal places; it does not change when other lines do. `line` is 1-based."""

    kind: str
    line: int
    description: str
    key: str
    text: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a kernel's text, in the order of the text within each kind.

    >>> [m.description for m in mutants("void k() { __syncthreads(); }")]
    ['__syncthreads(); dropped']
    """
    tokens = tokenize(source)
    seen: set[str] = {source}
    places: dict[tuple[str, ...], int] = {}
    for kind, rule in RULES.items():
        for edit in rule(tokens):
            text = apply(source, edit)
            if text in seen:
                continue
            seen.add(text)
            line = source.count("\n", 0, edit.start) + 1
            content = (kind, source.splitlines()[line - 1].strip(), source[edit.start : edit.end], edit.replacement)
            places[content] = places.get(content, -1) + 1
            key = hashlib.sha256("\0".join((*content, str(places[content]))).encode()).hexdigest()[:12]
            yield Mutant(kind, line, _describe(source, text, edit), key, text)


def apply(source: str, edit: Edit) -> str:
    """The text with the edit made."""
    for extra in sorted((edit, *edit.others), key=lambda e: -e.start):
        source = source[: extra.start] + extra.replacement + source[extra.end :]
    return source


def _describe(source: str, mutated: str, edit: Edit) -> str:
    """The statements that were dropped, or the line before and after."""
    if all(e.replacement == ";" for e in (edit, *edit.others)):
        return ", ".join(f"{' '.join(source[e.start : e.end].split())} dropped" for e in (edit, *edit.others))
    line = source.count("\n", 0, edit.start)
    return f"{source.splitlines()[line].strip()}  =>  {mutated.splitlines()[line].strip()}"

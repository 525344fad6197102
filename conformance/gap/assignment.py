"""Which entry of calls.toml a recorded call belongs to: one, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from uol.conformance.gap.calls import Calls, Entry
from uol.conformance.paths.recorded import Call
from uol.ir.errors import UolError


def assigned(calls: Sequence[Call], entries: Sequence[Entry]) -> list[Entry]:
    """The entry of each call, in order. Raises UolError for a call of none or of several, and for an entry that stands for
    another number of calls than it says."""
    last: dict[str, Call] = {}
    found: list[int] = []
    for call in calls:
        found.append(_entry_of(call, entries, last))
        last[call.op] = call
    counts = Counter(found)
    for number, entry in enumerate(entries):
        if counts[number] != entry.recorded:
            said = f"{entry} are {entry.recorded}, and {counts[number]} were recorded"
            raise UolError(said, hint="the path's calls.toml and its module have to agree")
    return [entries[number] for number in found]


def _entry_of(call: Call, entries: Sequence[Entry], last: Mapping[str, Call]) -> int:
    of_operator = [(number, each) for number, entry in enumerate(entries) for each in entry.of if each.op == call.op]
    fitting = {number for number, each in of_operator if each.decides and _fits(each, call, last)}
    found = fitting or {number for number, each in of_operator if not each.decides}
    if len(found) != 1:
        said = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in _shapes(call).items())
        where = f"{len(found)} entries: {'; '.join(str(entries[number]) for number in sorted(found))}" if found else "no entry"
        raise UolError(f"the call of {call.op} on {said} is of {where}", hint="calls.toml names each call in one entry")
    return found.pop()


def _fits(calls: Calls, call: Call | None, last: Mapping[str, Call]) -> bool:
    """Has a call the shapes that are asked for, and comes it after such a call?"""
    if call is None:
        return False
    shapes = _shapes(call)
    if any(shapes.get(name) != shape for name, shape in calls.shapes.items()):
        return False
    return calls.after is None or _fits(calls.after, last.get(calls.after.op), last)


def _shapes(call: Call) -> dict[str, tuple[int, ...]]:
    return dict(zip(call.operator.names, (tuple(x.shape) for x in call.inputs), strict=True))

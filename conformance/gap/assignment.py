"""Which reference group a recorded call belongs to: one, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from uol.conformance.gap.groups import Calls, Group
from uol.conformance.paths.recorded import Call
from uol.ir.errors import UolError


def assigned(calls: Sequence[Call], groups: Sequence[Group]) -> list[str]:
    """The group's name for each call. Raises UolError for a call of no group or of several, and for a group that stands for
    another number of calls than it says."""
    found = [_group_of(call, groups) for call in calls]
    counts = Counter(found)
    for group in groups:
        if counts[group.name] != group.recorded:
            said = f"the group {group.name!r} stands for {group.recorded} calls, and {counts[group.name]} were recorded"
            raise UolError(said, hint="the path's groups.toml and its module have to agree")
    return found


def _group_of(call: Call, groups: Sequence[Group]) -> str:
    shapes = dict(zip(call.operator.names, (tuple(x.shape) for x in call.inputs), strict=True))
    of_operator = [(group.name, each) for group in groups for each in group.calls if each.op == call.op]
    fitting = {name for name, each in of_operator if each.shapes and _fits(each, shapes)}
    found = fitting or {name for name, each in of_operator if not each.shapes}
    if len(found) != 1:
        said = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        where = f"{len(found)} groups: {', '.join(sorted(found))}" if found else "no group"
        raise UolError(f"the call of {call.op} on {said} is of {where}", hint="groups.toml names each call in one group")
    return found.pop()


def _fits(calls: Calls, shapes: dict[str, tuple[int, ...]]) -> bool:
    return all(shapes.get(name) == shape for name, shape in calls.shapes.items())

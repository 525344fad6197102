"""The loop of a kernel over its tiles: block b takes tiles b, b + blocks, b + 2 * blocks, ...

    task -> (outer axes..., tile of the row axis, tile of the lane axis), the last running fastest
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from uol.backends.ascendc.instructions import Builder
from uol.backends.ascendc.machine import ceil_div


@dataclass(frozen=True, slots=True)
class TiledAxis:
    """An axis of the task loop: `count` steps of `step` indices, `variable` holds the first index of a step."""

    variable: str
    extent: int
    step: int = 1

    @property
    def count(self) -> int:
        return ceil_div(self.extent, self.step)


def task_count(axes: Sequence[TiledAxis]) -> int:
    """How many tiles there are."""
    return prod(a.count for a in axes)


@contextmanager
def task_loop(
    builder: Builder, tasks: int, blocks: int, *, double_buffered: bool = False, slotted: bool = False
) -> Iterator[None]:
    """The loop over a core's tiles; a core that has one tile needs no loop. A `double_buffered` kernel loops even so, that it
    may be launched on fewer cores than it is laid out for. `slotted`: tiles alternate between two slots."""
    if tasks <= (1 if double_buffered else blocks):
        builder.text(f"const {builder.index} task = GetBlockIdx();")
        yield
        return
    header = f"for ({builder.index} task = GetBlockIdx(); task < {tasks}; task += GetBlockNum())"
    with builder.loop(header, "task", slotted=slotted):
        yield


def declare_indices(builder: Builder, axes: Sequence[TiledAxis]) -> None:
    """The first index of the task's tile along every axis; an axis of one step is 0 and needs no variable unless it is
    walked index by index."""
    inner = task_count(axes)
    for place, axis in enumerate(axes):
        inner //= max(axis.count, 1)
        if axis.count <= 1 and axis.step > 1:
            continue
        text = "task" if inner == 1 else f"task / {inner}"
        if any(a.count > 1 for a in axes[:place]):
            text += f" % {axis.count}"
        builder.text(f"const {builder.index} {axis.variable} = {text}{f' * {axis.step}' if axis.step > 1 else ''};")


def declare_sizes(builder: Builder, name: str, step: int, extent: int, start: str) -> None:
    """`name` = indices of this tile along an axis, where the last tile is smaller than the others."""
    if extent > step and extent % step:
        builder.text(f"const int {name} = lesser({step}, {extent} - {start});")

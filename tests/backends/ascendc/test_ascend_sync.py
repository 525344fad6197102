"""The synchronisation pass: every conflicting pair of accesses is ordered, nothing is ordered twice."""

from __future__ import annotations

import itertools

import pytest

from uol.backends.ascendc.instructions import Buffer, Builder, View
from uol.backends.ascendc.kernel_text import body_of
from uol.backends.ascendc.machine import EVENT_IDS
from uol.backends.ascendc.memory import MemoryLayout, memory_layout
from uol.backends.ascendc.sync.dependences import synchronise


def lines_of(builder: Builder) -> list[str]:
    layout = memory_layout(builder.top)
    assert isinstance(layout, MemoryLayout)
    return list(body_of(builder.top, synchronise(builder.top, layout.addresses)).lines)


def buffers(builder: Builder, *names: str, slots: int = 1) -> tuple[View, ...]:
    return tuple(builder.buffer(Buffer(n, "f32", 64, slots=slots)) for n in names)


def test_copy_compute_copy_takes_two_flags() -> None:
    builder = Builder()
    (x,) = buffers(builder, "x")
    builder.emit("MTE2", "load;", writes=(x,))
    builder.emit("V", "compute;", reads=(x,), writes=(x,))
    builder.emit("MTE3", "store;", reads=(x,))
    assert lines_of(builder) == [
        "load;",
        "SetFlag<HardEvent::MTE2_V>(0);",
        "WaitFlag<HardEvent::MTE2_V>(0);",
        "compute;",
        "SetFlag<HardEvent::V_MTE3>(0);",
        "WaitFlag<HardEvent::V_MTE3>(0);",
        "store;",
    ]


def test_two_loads_before_one_use_take_one_flag() -> None:
    builder = Builder()
    x, y, z = buffers(builder, "x", "y", "z")
    builder.emit("MTE2", "load x;", writes=(x,))
    builder.emit("MTE2", "load y;", writes=(y,))
    builder.emit("V", "add;", reads=(x, y), writes=(z,))
    assert sum("SetFlag" in line for line in lines_of(builder)) == 1


def test_independent_vector_instructions_need_no_barrier() -> None:
    builder = Builder()
    x, y = buffers(builder, "x", "y")
    builder.emit("V", "one;", writes=(x,))
    builder.emit("V", "two;", writes=(y,))
    builder.emit("V", "three;", reads=(x,), writes=(x,))
    assert lines_of(builder) == ["one;", "two;", "PipeBarrier<PIPE_V>();", "three;"]


def test_a_loop_waits_for_the_iteration_before() -> None:
    builder = Builder()
    (x,) = buffers(builder, "x")
    with builder.loop("i", "n"):
        builder.emit("MTE2", "load;", writes=(x,))
        builder.emit("MTE3", "store;", reads=(x,))
    assert lines_of(builder) == [
        "SetFlag<HardEvent::MTE3_MTE2>(0);",
        "for (int i = 0; i < n; ++i) {",
        "  WaitFlag<HardEvent::MTE3_MTE2>(0);",
        "  load;",
        "  SetFlag<HardEvent::MTE2_MTE3>(0);",
        "  WaitFlag<HardEvent::MTE2_MTE3>(0);",
        "  store;",
        "  SetFlag<HardEvent::MTE3_MTE2>(0);",
        "}",
        "WaitFlag<HardEvent::MTE3_MTE2>(0);",
    ]


def test_double_buffering_waits_for_the_iteration_before_the_last() -> None:
    builder = Builder()
    (x,) = buffers(builder, "x", slots=2)
    with builder.loop("i", "n", slotted=True):
        builder.emit("MTE2", f"load {x};", writes=(x,))
        builder.emit("MTE3", f"store {x};", reads=(x,))
    lines = lines_of(builder)
    assert lines[:3] == ["int slot = 0;", "SetFlag<HardEvent::MTE3_MTE2>(0);", "SetFlag<HardEvent::MTE3_MTE2>(1);"]
    assert "  WaitFlag<HardEvent::MTE3_MTE2>(slot);" in lines
    assert "  load x[slot * 64];" in lines
    assert lines[-3:] == ["}", "WaitFlag<HardEvent::MTE3_MTE2>(0);", "WaitFlag<HardEvent::MTE3_MTE2>(1);"]


@pytest.mark.parametrize(("least", "waits"), [(1, 2), (2, 2), (3, 1)])
def test_what_the_third_iteration_waits_for_says_nothing_of_a_loop_of_two(least: int, waits: int) -> None:
    """A row's value is stored before a loop over double-buffered columns. From the third iteration on, the columns' stores are
    waited for, and with them the row's, which went before; of fewer iterations the row's memory waits itself."""
    builder = Builder()
    (row,) = buffers(builder, "row")
    (x,) = buffers(builder, "x", slots=2)
    with builder.loop("task", "n"):
        builder.emit("V", "fold;", writes=(row,))
        builder.emit("MTE3", "store row;", reads=(row,))
        with builder.loop("c", "n", slotted=True, least=least):
            builder.emit("V", f"compute {x};", writes=(x,))
            builder.emit("MTE3", f"store {x};", reads=(x,))
    lines = lines_of(builder)
    within = lines[: lines.index("}")]
    assert sum("WaitFlag<HardEvent::MTE3_V>" in line for line in within) == waits


def test_flags_stand_outside_of_branches() -> None:
    """A flag that is set and awaited on one side of a branch only would hang the card."""
    builder = Builder()
    (x,) = buffers(builder, "x")
    builder.emit("V", "fill;", writes=(x,))
    with builder.branch("inside"):
        builder.emit("MTE2", "load;", writes=(x,))
    builder.emit("V", "use;", reads=(x,))
    lines = lines_of(builder)
    inside = lines[lines.index("if (inside) {") + 1 : lines.index("}")]
    assert inside == ["  load;"]
    assert [line for line in lines if "Flag" in line] == [
        "SetFlag<HardEvent::V_MTE2>(0);",
        "WaitFlag<HardEvent::V_MTE2>(0);",
        "SetFlag<HardEvent::MTE2_V>(0);",
        "WaitFlag<HardEvent::MTE2_V>(0);",
    ]


def test_parts_of_a_buffer_that_iterations_do_not_share_need_no_order() -> None:
    builder = Builder()
    x, y = buffers(builder, "x", "y")
    with builder.loop("i", "n", least=1):
        builder.emit("V", "row;", reads=(y,), writes=(x.at("i * 8", per="i"),))
    assert lines_of(builder) == ["for (int i = 0; i < n; ++i) {", "  row;", "}"]


def test_buffers_that_share_memory_are_ordered() -> None:
    """x is dead when y is written to the same bytes; the copy out of x must have finished."""
    builder = Builder()
    x, y = buffers(builder, "x", "y")
    builder.emit("V", "make x;", writes=(x,))
    builder.emit("MTE3", "store x;", reads=(x,))
    builder.emit("V", "make y;", writes=(y,))
    layout = memory_layout(builder.top)
    assert isinstance(layout, MemoryLayout)
    assert layout.addresses["x"] == layout.addresses["y"]
    assert "WaitFlag<HardEvent::MTE3_V>(0);" in lines_of(builder)


def test_a_wait_on_the_scalar_unit_orders_everything_after_it() -> None:
    builder = Builder()
    x, y = buffers(builder, "x", "y")
    builder.emit("V", "make;", writes=(x,))
    builder.emit("S", "read;", reads=(x,))
    builder.emit("MTE2", "overwrite;", writes=(y,))
    builder.emit("MTE3", "store;", reads=(x,))
    flags = [line for line in lines_of(builder) if "Set" in line]
    assert flags == ["SetFlag<HardEvent::V_S>(0);"]


def test_without_event_ids_left_all_pipes_wait() -> None:
    builder = Builder()
    views = buffers(builder, *(f"x{i}" for i in range(EVENT_IDS + 1)))
    out = buffers(builder, *(f"y{i}" for i in range(EVENT_IDS + 1)))
    for number, (x, y) in enumerate(zip(views, out, strict=True)):
        builder.emit("MTE2", f"load {number};", writes=(x,))
        builder.emit("V", f"use {number};", reads=(x,), writes=(y,))
    lines = lines_of(builder)
    assert {line for line in lines if "SetFlag<HardEvent::MTE2_V>" in line} == {
        f"SetFlag<HardEvent::MTE2_V>({i});" for i in range(EVENT_IDS)
    }
    assert lines.count("PipeBarrier<PIPE_ALL>();") == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_flags_alternate_on_every_path(order: tuple[int, ...]) -> None:
    """Nested loops: in whatever order three pipes touch two buffers, set and wait of a flag alternate when the loops run."""
    builder = Builder()
    x, y = buffers(builder, "x", "y")
    steps = [
        lambda: builder.emit("MTE2", "a;", writes=(x,)),
        lambda: builder.emit("V", "b;", reads=(x,), writes=(y,)),
        lambda: builder.emit("MTE3", "c;", reads=(y,)),
    ]
    with builder.loop("i", "n"):
        with builder.loop("j", "n", least=1):
            for place in order:
                steps[place]()
        builder.emit("V", "d;", reads=(x,), writes=(y,))
    layout = memory_layout(builder.top)
    assert isinstance(layout, MemoryLayout)
    text = body_of(builder.top, synchronise(builder.top, layout.addresses)).lines
    for flag in {line.strip().split("Flag")[1] for line in text if "Flag" in line}:
        state = 0
        for line in unrolled(list(text), 3):
            if line == f"SetFlag{flag}":
                state += 1
            elif line == f"WaitFlag{flag}":
                state -= 1
            assert state in (0, 1), (flag, text)
        assert state == 0


def unrolled(lines: list[str], trips: int) -> list[str]:
    """The lines in the order in which they run, every loop a few times."""
    out: list[str] = []
    while lines:
        line = lines.pop(0)
        if not line.endswith("{"):
            out.append(line.strip())
            continue
        depth, body = 1, []
        while depth:
            inner = lines.pop(0)
            depth += inner.endswith("{") - (inner.strip() == "}")
            body.append(inner)
        for _ in range(trips):
            out += unrolled(body[:-1], trips)
    return out



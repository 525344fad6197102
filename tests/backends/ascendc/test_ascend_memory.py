"""On-chip buffers: lifetimes, addresses, and what is said when they do not fit."""

from __future__ import annotations

from uol.backends.ascendc.instructions import Buffer, Builder
from uol.backends.ascendc.machine import ALIGNMENT_BYTES, CAPACITY_BYTES
from uol.backends.ascendc.memory import Lifetime, Overflow, allocate, lifetimes


def test_buffers_that_never_live_together_share_memory() -> None:
    a, b = Buffer("a", "f32", 100), Buffer("b", "f16", 100)
    assert allocate([Lifetime(a, 0, 3), Lifetime(b, 4, 6)]) == {"a": 0, "b": 0}


def test_buffers_that_live_together_lie_apart_and_aligned() -> None:
    a, b, c = Buffer("a", "f32", 3), Buffer("b", "f16", 3), Buffer("c", "f32", 100, slots=2)
    addresses = allocate([Lifetime(x, 0, 9) for x in (a, b, c)])
    assert not isinstance(addresses, Overflow)
    spans = sorted((addresses[x.name], addresses[x.name] + x.bytes) for x in (a, b, c))
    assert all(start % ALIGNMENT_BYTES["UB"] == 0 for start, _ in spans)
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))
    assert c.slot_elements == 104
    assert c.bytes == 2 * 416


def test_memories_have_addresses_of_their_own() -> None:
    a, b = Buffer("a", "f16", 256, "L0A"), Buffer("b", "f16", 256, "L0B")
    assert allocate([Lifetime(a, 0, 1), Lifetime(b, 0, 1)]) == {"a": 0, "b": 0}


def test_what_does_not_fit_is_named_with_its_bytes() -> None:
    life = [Lifetime(Buffer(name, "f32", size), 0, 1) for name, size in (("x_ub", 40000), ("y_ub", 8000), ("t", 100))]
    overflow = allocate(life)
    assert isinstance(overflow, Overflow)
    assert str(overflow) == f"UB holds {CAPACITY_BYTES['UB']} bytes, the kernel needs 192416: x_ub 160000, y_ub 32000, t 416"


def test_a_value_of_one_iteration_lives_no_longer() -> None:
    builder = Builder()
    before, inside, after = (builder.buffer(Buffer(n, "f32", 8)) for n in ("before", "inside", "after"))
    builder.emit("V", "a;", writes=(before,))
    with builder.loop("i", "n"):
        builder.emit("V", "b;", reads=(before,), writes=(inside,))
        builder.emit("V", "c;", reads=(inside,), writes=(after,))
    builder.emit("V", "d;", reads=(after,))
    lives = {x.buffer.name: (x.first, x.last) for x in lifetimes(builder.top)}
    assert lives["before"] == (1, 5)
    assert lives["inside"] == (3, 4)
    assert lives["after"] == (2, 6)  # written by every iteration, read after the last: nobody else may have its memory between


def test_what_an_iteration_leaves_to_the_next_lives_for_the_whole_loop() -> None:
    builder = Builder()
    total, loaded = builder.buffer(Buffer("total", "f32", 8)), builder.buffer(Buffer("loaded", "f32", 8, slots=2))
    with builder.loop("i", "n", slotted=True):
        builder.emit("MTE2", "load;", writes=(loaded,))
        builder.emit("V", "add;", reads=(loaded, total), writes=(total,))
    assert {(x.first, x.last) for x in lifetimes(builder.top)} == {(1, 4)}

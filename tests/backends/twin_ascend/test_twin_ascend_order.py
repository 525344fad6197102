"""The 910B's twin against the definition of a hazard: random programs of copies, vector and scalar instructions, flags and
barriers, judged by reachability in the graph of everything that must wait for something."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from ascend_modules import HEAD, dense, job, module

from uol.backends.twin import execute_many

PIPES = ("S", "V", "MTE2", "MTE3")
EVENTS = tuple(f"{a}_{b}" for a in PIPES for b in PIPES if a != b)
CELLS = 3
PROGRAMS = 120
LENGTH = 24


@dataclass(frozen=True)
class Item:
    """One statement. `reads` and `writes` name cells of UB ("u0") and of the workspace ("w0")."""

    text: str
    pipe: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    set: str = ""
    wait: str = ""
    barrier: str = ""


def instruction(rng: random.Random) -> Item:
    i, j = rng.randrange(CELLS), rng.randrange(CELLS)
    return rng.choice([
        Item(f"DataCopy(u{i}, xg[{64 * i}], 64);", "MTE2", (), (f"u{i}",)),
        Item(f"DataCopy(u{i}, wg[{64 * j}], 64);", "MTE2", (f"w{j}",), (f"u{i}",)),
        Item(f"DataCopy(wg[{64 * j}], u{i}, 64);", "MTE3", (f"u{i}",), (f"w{j}",)),
        Item(f"Adds(u{i}, u{j}, 1.0f, 64);", "V", (f"u{j}",), (f"u{i}",)),
        Item(f"Duplicate(u{i}, 2.0f, 64);", "V", (), (f"u{i}",)),
        Item(f"u{i}.SetValue(0, 3.0f);", "S", (), (f"u{i}",)),
        Item(f"sum += u{i}.GetValue(0);", "S", (f"u{i}",), ()),
    ])  # fmt: skip


def program(rng: random.Random) -> list[Item]:
    """Random statements. Flags keep their protocol: an event is waited for before it is set again, and at the end."""
    items: list[Item] = []
    pending: list[str] = []
    eager = rng.choice((0.35, 0.5, 0.65))
    while len(items) < LENGTH:
        if rng.random() > eager:
            items.append(instruction(rng))
        elif rng.random() < 0.2:
            pipe = rng.choice(("V", "MTE2", "MTE3", "ALL"))
            items.append(Item(f"PipeBarrier<PIPE_{pipe}>();", barrier=pipe))
        elif pending and rng.random() < 0.6:
            items.append(waiting(pending.pop(rng.randrange(len(pending)))))
        else:
            event = rng.choice([e for e in EVENTS if e not in pending] or [""])
            if event:
                pending.append(event)
                items.append(setting(event))
    return items + [waiting(event) for event in pending]


def setting(event: str, number: int = 1) -> Item:
    return Item(f"SetFlag<HardEvent::{event}>({number});", event.split("_")[0], set=f"{event}({number})")


def waiting(event: str, number: int = 1) -> Item:
    return Item(f"WaitFlag<HardEvent::{event}>({number});", event.split("_")[1], wait=f"{event}({number})")


def repaired(items: list[Item], rng: random.Random, forget: bool) -> list[Item]:
    """The program with a flag or barrier before every hazard; `forget`: one of them left out again."""
    items, added = list(items), []
    while (hazard := first_hazard(items)) is not None:
        number, earlier = hazard
        here, there = items[number].pipe, items[earlier].pipe
        event = f"{there}_{here}"
        fix = [Item(f"PipeBarrier<PIPE_{here}>();", barrier=here)] if here == there else [setting(event, 2), waiting(event, 2)]
        items[number:number] = fix
        added.append(fix)
    if forget and added:
        gone = rng.choice(added)
        items = [item for item in items if not any(item is g for g in gone)]
    return items


@dataclass
class Order:
    """What must have happened before what: `known[p]` is all that has completed before the next statement on pipe p starts;
    `issued[p]` is all that was given to p."""

    known: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    issued: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    flags: dict[str, set[int]] = field(default_factory=dict)

    def before(self, pipe: str) -> set[int]:
        """A wait on S holds back the issue of all that follows, whatever its pipe. S itself works statement by statement."""
        return self.known[pipe] | self.known["S"] | (self.issued["S"] if pipe == "S" else set())


def first_hazard(items: list[Item]) -> tuple[int, int] | None:
    """The first statement that conflicts with an earlier one which need not have completed, and that one."""
    order = Order()
    for number, item in enumerate(items):
        if item.barrier == "ALL":
            done = set().union(*order.issued.values())
            for pipe in PIPES:
                order.known[pipe] |= done
        elif item.barrier:
            order.known[item.barrier] |= order.issued[item.barrier] | order.before(item.barrier)
        elif item.set:
            order.flags[item.set] = order.issued[item.pipe] | order.before(item.pipe)
        elif item.wait:
            order.known[item.pipe] |= order.flags.pop(item.wait)
        else:
            completed = order.before(item.pipe)
            open_ = [k for k in range(number) if conflict(items[k], item) and k not in completed]
            if open_:
                return number, open_[-1]
            order.issued[item.pipe].add(number)
    return None


def conflict(first: Item, second: Item) -> bool:
    touched = set(first.reads) | set(first.writes)
    return bool(set(first.writes) & (set(second.reads) | set(second.writes)) or touched & set(second.writes))


def kernel(number: int, items: list[Item]) -> list[str]:
    """The program as a kernel of its own; everything is written and settled before it starts."""
    lines = [f'extern "C" __global__ __aicore__ void program{number}(GM_ADDR x, GM_ADDR w, GM_ADDR y) {{']
    lines += ["  TPipe pipe; TBuf<TPosition::VECCALC> ub; GlobalTensor<float> xg, wg, yg; float sum = 0;"]
    lines += [f"  pipe.InitBuffer(ub, {CELLS * 256});"]
    lines += [f"  {name}g.SetGlobalBuffer((__gm__ float*){name}, {CELLS * 64});" for name in "xwy"]
    for i in range(CELLS):
        lines += [f"  LocalTensor<float> u{i} = ub.GetWithOffset<float>(64, {256 * i}); Duplicate(u{i}, 1.0f, 64);"]
    lines += ["  PipeBarrier<PIPE_ALL>();"]
    lines += [f"  DataCopy({name}g[{64 * i}], u{i}, 64);" for name in "wy" for i in range(CELLS)]
    return [*lines, "  PipeBarrier<PIPE_ALL>();", *(f"  {item.text}" for item in items), "}"]


def test_the_first_finding_is_the_first_hazard() -> None:
    rng = random.Random(17)
    programs = [program(rng) for _ in range(PROGRAMS)]
    for number in range(PROGRAMS):
        if number % 3:
            programs[number] = repaired(programs[number], rng, forget=number % 3 == 2)
    lines = HEAD.splitlines()
    starts = []
    for number, items in enumerate(programs):
        lines += kernel(number, items)
        starts.append(len(lines) - len(items))  # the line of the first statement, from 1
    args = [
        dense("x", "f32", [CELLS * 64], "in"),
        dense("w", "f32", [CELLS * 64], "workspace"),
        dense("y", "f32", [CELLS * 64], "out"),
    ]
    made = module("\n".join([*lines, ""]), args, {f"program{i}": ("aiv", 1) for i in range(PROGRAMS)})
    run = execute_many([job(made, {"x": np.zeros(CELLS * 64, "f4")})])[0]
    assert all(f.kind.startswith("hazard-") for f in run.findings), [str(f) for f in run.findings]
    found: dict[str, int] = {}
    for finding in run.findings:
        found[finding.kernel] = min(finding.line, found.get(finding.kernel, finding.line))
    hazards = [first_hazard(items) for items in programs]
    for number, (start, hazard) in enumerate(zip(starts, hazards, strict=True)):
        expected = None if hazard is None else start + hazard[0]
        assert found.get(f"program{number}") == expected, "\n".join(kernel(number, programs[number]))
    assert 15 < sum(h is None for h in hazards) < PROGRAMS - 15  # both verdicts are tried

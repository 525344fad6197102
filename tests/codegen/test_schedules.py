"""Schedules as data: they print, parse and stand in the key; a user's own is taken, or refused with the nearest legal one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import cast, get_args

import numpy as np
import pytest
from toy_backend import ToyBackend, Whole

import uol
from uol.backends import registry
from uol.backends.ascendc.schedules import AscendSchedule
from uol.backends.cpu.schedules.kinds import CpuSchedule, Dots, Reduction
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.products.schedule import Tile
from uol.cli.trial import try_compiled
from uol.codegen.backend import Device, Footprint, Kernel, Refusal, Schedule
from uol.codegen.choice import Given, candidates
from uol.codegen.schedule import field_types, field_values, kind_name, kind_of, parse_fields, schedule_text
from uol.codegen.specs.nodes import KernelSpec
from uol.ir.errors import ScheduleError
from uol.ops.workloads import workloads_of

KINDS = {
    "cpu": get_args(CpuSchedule),
    "cuda": get_args(SimtSchedule),
    "ascendc": get_args(AscendSchedule),
}
OPS = ("softmax", "linear", "conv2d", "cumsum", "topk", "scatter_add", "add")
LINEAR = {"S": 20, "K": 33, "N": 40}


def compiled(op: str, target: str) -> uol.Compiled:
    workload = workloads_of(op)[0]
    return uol.compile(op, target, "f32", workload.dims, workload.attrs)


@pytest.mark.parametrize("target", KINDS)
def test_every_candidate_prints_and_parses(target: str) -> None:
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    seen: set[type] = set()
    for op in OPS:
        module = compiled(op, target).module
        for kernel in module.kernels:
            fitting = (c.schedule for c in candidates(kernel.spec, backend, device) if c.fits)
            for schedule in islice(fitting, 6):
                text = f"kernel={kernel.spec.name},{schedule_text(schedule)}"
                assert schedule in Given((text,)).choose(module.graph, backend, device)
                seen.add(type(schedule))
    assert len(seen) >= {"cpu": 6, "cuda": 4, "ascendc": 2}[target]


def test_names_and_truth_values_print_and_parse() -> None:
    schedule = Reduction("cols", 16, 2, keep=("e", "z"))
    text = "kind=reduction,along=cols,lanes=16,parallel=2,col_tasks=1,keep=e+z,vectors=1,ahead=false"
    assert schedule_text(schedule) == text
    given = parse_fields(text)
    assert kind_of(given.pop("kind"), KINDS["cpu"]) is Reduction
    assert Reduction(**field_values(Reduction, given)) == schedule
    assert field_values(Dots, {"parallel": "false"}) == {"parallel": False}
    assert field_values(Reduction, {"keep": ""}) == {"keep": ()}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("kind=reduction,along=depth", "reduction.along is 'depth'", "one of cols, rows"),
        ("kind=reduction,lanes=4.5", "reduction.lanes is '4.5'", "an integer"),
        ("kind=dots,parallel=1", "dots.parallel is '1'", "true or false"),
        ("kind=tile,m=1", "no kind of schedule 'tile'", "loops, elementwise"),
        ("kind=loops,m=1", "loops has no field 'm'", "none"),
        ("lanes", "cannot read 'lanes'", "write m=128"),
        ("lanes=1,lanes=2", "lanes is given twice", "once"),
    ],
)
def test_a_text_that_is_no_schedule(text: str, message: str, hint: str) -> None:
    with pytest.raises(ScheduleError, match=message) as caught:
        uol.compile("softmax", "cpu", "f32", {"S": 4, "C": 8}, schedule=text)
    assert hint in (caught.value.hint or "")


def test_a_given_schedule_is_taken_and_stands_in_the_key() -> None:
    default = uol.compile("linear", "cuda", "f32", LINEAR)
    kernels = {}
    for given in ("m=32,n=64,thread_n=4", "kernel=linear,m=32,n=64,thread_n=4", Tile(32, 64, 16, 2, 4)):
        own = uol.compile("linear", "cuda", "f32", LINEAR, schedule=given)
        assert own.module.kernels[0].schedule == Tile(32, 64, 16, 2, 4) != default.module.kernels[0].schedule
        kernels[str(own.request.key("module"))] = own.source
    assert len({*kernels, str(default.request.key("module"))}) == 4
    assert len(set(kernels.values())) == 1
    assert default.source not in kernels.values()


@pytest.mark.parametrize(
    ("target", "given", "message", "hint"),
    [
        ("cuda", "m=33", "2 x 2 a thread do not divide", "the nearest that it can have is kind=tile,m=16,n=16,k=16"),
        ("cuda", "m=64,n=64,thread_m=64,thread_n=64", "more than 128", "kind=tile,m="),
        ("cuda", "mm=64", "no kernel of linear for cuda has the schedule 'mm=64'", "did you mean m?"),
        ("cuda", "kind=cube,m=16", "no kind of schedule 'cube'", "elements, transposed_tile, bins, thread_per_row"),
        ("cuda", "kind=block_per_row,threads=64", "no kernel of linear", "tile has m, n, k"),
        ("cuda", "kernel=other,m=64", "linear has no kernel 'other'", "its kernels are linear"),
        ("ascendc", "m=17,n=16", "not made of fractals", "kind=cube,m="),
        ("ascendc", "blocks=0", "on no core", "kind=cube"),
        ("ascendc", "lane=q", "lane is 'q', which is none of", "kind=vector,lane="),
        ("cpu", "rows=0", "rows is 0; it is from 1 to 31", "kind=tiles,rows="),
        ("cpu", "rows=16,vectors=2", "16 x 2 accumulators", "kind=tiles,rows="),
        ("cpu", "kind=tiles,lanes=7", "lanes is 7", "kind=tiles,rows="),
        ("hip", "m=-16", "m is -16", "kind=matrix_tile,m=32"),
    ],
)
def test_a_schedule_that_no_kernel_can_have(target: str, given: str, message: str, hint: str) -> None:
    with pytest.raises(ScheduleError, match=message) as caught:
        uol.compile("linear", target, "f32", LINEAR, schedule=given)
    assert hint in (caught.value.hint or "")


def test_something_else_is_no_schedule() -> None:
    with pytest.raises(ScheduleError, match="5 is no schedule"):
        uol.compile("linear", "cuda", "f32", LINEAR, schedule=5)


@pytest.mark.parametrize("target", KINDS)
def test_whatever_the_fields_say_a_check_gives_an_answer_and_what_it_takes_renders(target: str) -> None:
    backend = registry.get(target)
    device = backend.devices[backend.default_device]
    rng = np.random.default_rng(0)
    for op in OPS:
        for kernel in compiled(op, target).module.kernels:
            for schedule in neighbours(next(iter(backend.schedules(kernel.spec, device))), rng, 4):
                if not isinstance(backend.check(kernel.spec, schedule, device), Refusal):
                    backend.render(kernel.spec, schedule, device)


def neighbours(schedule: Schedule, rng: np.random.Generator, count: int) -> list[Schedule]:
    """Schedules that differ in one integer field."""
    names = [name for name, kind in field_types(type(schedule)).items() if kind is int]
    values = (-1, 0, 1, 2, 3, 8, 16, 17, 100, 10**6)
    return [replace(schedule, **{str(rng.choice(names)): int(rng.choice(values))}) for _ in range(count) if names]


@pytest.mark.parametrize(
    ("op", "target", "given"),
    [
        ("linear", "cpu", "rows=3,vectors=1,lanes=4"),
        ("softmax", "cpu", "lanes=2"),
        ("linear", "hip", "m=64,n=64,thread_m=8,thread_n=4"),
        ("softmax", "cuda", "kind=thread_per_row,threads=64"),
        ("linear", "ascendc", "kind=cube,m=32,n=16,k=16,blocks=3"),
        ("softmax", "ascendc", "over=rows,lane=s,lanes=48,blocks=2"),
    ],
)
def test_what_is_given_computes_the_same(op: str, target: str, given: str) -> None:
    dims = LINEAR if op == "linear" else {"S": 96, "C": 50}
    trial = try_compiled(uol.compile(op, target, "f32", dims, schedule=given))
    assert trial.passed, trial


def test_explain_lists_the_schedules(toy: str) -> None:
    kernel = uol.compile("linear", "cuda", "f32", LINEAR, schedule="m=32,n=32,thread_m=4,thread_n=4,k=32")
    text = str(kernel.explain(schedules=True))
    assert "* kind=tile,m=32,n=32,k=32,thread_m=4,thread_n=4: taken; grid" in text
    assert "kind=tile,m=16,n=16,k=16,thread_m=2,thread_n=2: fits, not preferred; grid" in text
    (found,) = cast(list[dict[str, list[dict[str, object]]]], kernel.explain(schedules=True).as_json()["kernels"])
    listed = found["schedules"]
    assert [each["taken"] for each in listed].count(True) == 1
    assert len(listed) == 9


@dataclass(frozen=True, slots=True)
class Rows:
    """A schedule of the test's backend: so many elements at once."""

    elements: int

    def describe(self) -> str:
        return f"{self.elements} at once"


@dataclass(frozen=True, slots=True)
class TwoDevices(ToyBackend):
    """One whose devices hold different numbers of elements at once."""

    devices: dict[str, Device] = field(
        default_factory=lambda: {name: Device(name, "python", 1, size) for name, size in (("small", 64), ("large", 4096))}
    )
    default_device: str = "large"
    schedule_kinds: tuple[type, ...] = (Rows, Whole)

    def schedules(self, spec: KernelSpec, device: Device) -> Iterable[Schedule]:
        return (Rows(1024), Rows(16))

    def check(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Footprint | Refusal:
        assert isinstance(schedule, Rows)
        if schedule.elements > device.memory_bytes:
            return Refusal(f"{schedule.elements} elements do not fit {device.name}")
        return Footprint({"memory": schedule.elements})

    def render(self, spec: KernelSpec, schedule: Schedule, device: Device) -> Kernel:
        kernel = ToyBackend.render(self, spec, schedule, device)
        return replace(kernel, text=f"# for {device.name}\n{kernel.text}")


def test_a_backend_refuses_on_one_device_what_it_takes_on_another(monkeypatch: pytest.MonkeyPatch, own_cache: object) -> None:
    backend = TwoDevices()
    monkeypatch.setattr(registry, "get", lambda name: backend)
    monkeypatch.setattr(registry, "names", lambda: ("toy",))
    large, small = (uol.compile("relu", f"toy:{name}", "f32", {"S": 8}) for name in ("large", "small"))
    assert large.module.kernels[0].schedule == Rows(1024)
    assert small.module.kernels[0].schedule == Rows(16)
    assert "# for small" in small.source
    fits = [c.fits for c in candidates(small.module.kernels[0].spec, backend, backend.devices["small"])]
    assert fits == [False, True]
    with pytest.raises(ScheduleError, match="1024 elements do not fit small") as caught:
        uol.compile("relu", "toy:small", "f32", {"S": 8}, schedule="elements=1024")
    assert caught.value.hint == "the nearest that it can have is kind=rows,elements=16"


def test_kinds_are_named_by_their_classes() -> None:
    assert [kind_name(k) for k in KINDS["ascendc"]] == ["vector", "cube"]

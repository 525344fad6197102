"""Kinds of schedules: what a new one takes, how kinds compete, what of a device a kernel's text depends on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import uol
from uol.backends import registry
from uol.backends.simt.choosing import kinds, schedules
from uol.backends.simt.kernel.nodes import Kernel
from uol.backends.simt.kernel.parts import Part, up_to
from uol.backends.simt.kernel.schedule_kind import ScheduleKind
from uol.backends.simt.machine.fragments import UNITS
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.products.counts import contract_counts
from uol.backends.simt.products.kinds import PRODUCTS
from uol.backends.simt.products.legality import check_tile
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.products.tile_kernel import tile_kernel
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Device, Footprint, Refusal
from uol.codegen.indexing.arithmetic import size
from uol.codegen.specs.nodes import Contract
from uol.codegen.work import Issued, exactly

SIZES = {"S": (64,), "K": 64, "N": 64}


@dataclass(frozen=True, slots=True)
class Square:
    """A schedule of this test: a tile of one shape, of so many elements a side."""

    side: int

    @property
    def tile(self) -> Tile:
        return Tile(self.side, self.side, 8, 4, 4)

    def describe(self) -> str:
        return f"a square of {self.side}"


def squares(spec: Contract, machine: Machine, device: Device) -> tuple[Square, ...]:
    """On one architecture of the two alone."""
    return (Square(128), Square(64)) if machine.units is not None and machine.units.async_bytes else ()


def check(spec: Contract, square: Square, machine: Machine) -> Footprint | Refusal:
    return check_tile(spec, square.tile, machine)


def build(spec: Contract, square: Square, machine: Machine) -> Kernel:
    return replace(tile_kernel(spec, square.tile), title=f"for {machine.architecture}")


def no_time(spec: Contract, square: Square, device: Device) -> Issued:
    """Less than any other kind's."""
    return replace(contract_counts(spec, square.tile, device), scratch_bytes=exactly(0), operations={}, waits=0)


SQUARES = ScheduleKind((Contract,), (Square,), squares, check, build, no_time)


def halves(spec: Contract, machine: Machine) -> Iterable[Part]:
    """A kernel for up to eight rows, and one for more."""
    return up_to({"eight": 8}, size(spec.m))


def with_itself_before(spec: Contract, machine: Machine, device: Device) -> tuple[Contract, ...]:
    """What no kind does: the spec twice."""
    return spec, spec


def backend(name: str) -> SimtBackend:
    found = registry.get(name)
    assert isinstance(found, SimtBackend)
    return found


@pytest.fixture
def _with_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new kind adds outside of its room: a line in each of two files."""
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, SQUARES))
    for name in ("cuda", "hip"):  # have read `choosing/schedules.py`
        monkeypatch.setattr(backend(name), "schedule_kinds", (*backend(name).schedule_kinds, Square))


@pytest.mark.usefixtures("_with_squares")
@pytest.mark.parametrize("name", ["cuda", "hip"])
def test_a_new_kind_competes_where_its_device_has_it(name: str) -> None:
    found = backend(name)
    spec = uol.compile("linear", name, "f32", SIZES).module.kernels[0].spec
    device = found.devices[found.default_device]
    offered = list(found.schedules(spec, device))
    if name == "hip":
        assert {*map(type, offered)} & {Tile, Square} == {Tile}
        return
    assert offered[:2] == [Square(128), Square(64)], "the shortest modelled time first"
    assert isinstance(found.check(spec, Square(64), device), Footprint)
    assert isinstance(found.check(spec, Square(63), device), Refusal)
    kernel = found.render(spec, Square(64), device)
    assert kernel.text.startswith("// for sm_80\n")
    assert found.render(spec, Square(64), found.devices["h100"]).text.startswith("// for sm_90\n"), "a text of its own"
    given = uol.compile("linear", name, "f32", SIZES, schedule="kind=square,side=64")
    assert [k.schedule for k in given.module.kernels] == [Square(64)]


def test_a_new_kind_says_which_parts_of_open_sizes_have_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """And which specs a spec becomes, where it stands before the others."""
    first = replace(SQUARES, parts=halves, legalise=with_itself_before)
    found = backend("cuda")
    device = found.devices[found.default_device]
    spec = uol.compile("linear", "cuda", "f32", {**SIZES, "S": (None,)}).module.kernels[0].spec
    assert found.legalise(spec, device) == (spec,)
    monkeypatch.setattr(kinds, "KINDS", (first, *kinds.KINDS))
    assert found.legalise(spec, device) == (spec, spec)
    assert [each.name for each in found.variants(replace(spec, name="y", where=()), device)] == ["y_eight", "y"]


def test_kinds_of_a_room_are_named_in_two_files_outside_of_it() -> None:
    """Kinds of products: who else imports them, or their schedules?"""
    simt = Path(schedules.__file__).parents[1]
    others = [p for p in simt.rglob("*.py") if not {"products", "attention"} & {*p.relative_to(simt).parts}]
    of_kinds = re.compile(r"simt\.products\.([a-z_]+\.)*(kinds|schedule)\b")
    naming = {str(p.relative_to(simt)) for p in others if of_kinds.search(p.read_text())}
    assert naming == {"choosing/kinds.py", "choosing/schedules.py"}


def test_every_schedule_has_its_kind() -> None:
    for name in ("cuda", "hip"):
        assert {each for kind in kinds.KINDS for each in kind.schedules} == set(backend(name).schedule_kinds)
    assert PRODUCTS in kinds.KINDS


@pytest.mark.parametrize(
    ("name", "architecture", "kib", "of_f16"),
    [
        ("cuda", "sm_80", 163, "mma_16x8x16_f16"),
        ("cuda", "sm_86", 99, "mma_16x8x16_f16"),
        ("cuda", "sm_90", 227, "mma_16x8x16_f16"),
        ("hip", "gfx90a", 64, "mfma_32x32x8_f16"),
    ],
)
def test_units_of_an_architecture(name: str, architecture: str, kib: int, of_f16: str) -> None:
    """By the tables of the vendors' documents."""
    units = backend(name).target.on(architecture).units
    assert units is not None
    assert units.shared_bytes == kib * 1024
    assert units.of("f16")[0].name == of_f16
    assert bool(units.async_bytes) == (name == "cuda")


def test_every_device_has_an_architecture_with_units() -> None:
    for name in ("cuda", "hip"):
        found = backend(name)
        assert all(found.machine_of(device).units for device in found.devices.values())
    assert backend("hip").target.on("gfx1030").units is None
    others = backend("hip").target.on("gfx942").units
    assert others is not None
    assert {UNITS[name].dtype for name in others.products} == {"f16", "bf16", "f32"}

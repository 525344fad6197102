"""Cache sizes that are read from the system, and what is cut by them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cpu_cases import graph_of, program_of

from uol.backends.cpu import caches as module
from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.caches import SIZES, Caches, Reading, caches, read
from uol.backends.cpu.host import PROCESSOR, Host, caches_of, host
from uol.backends.cpu.schedules.contraction import candidates
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.cpu.schedules.legality import defect
from uol.ir.errors import UolError

ALL = max(os.sched_getaffinity(0)) + 1
Level = tuple[str, str, str, str]
"""Level, type, size and the cores that share it, as Linux's files say them."""
KIB = 1024
SERVER = (("1", "Data", "48K", "{n}"), ("1", "Instruction", "32K", "{n}"), ("2", "Unified", "768K", "{n}"))


@pytest.fixture
def system(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder as /sys/devices/system/cpu, of each core with these levels."""

    def write(*cores: tuple[Level, ...]) -> Path:
        for core, levels in enumerate(cores):
            for index, level in enumerate(levels):
                folder = tmp_path / f"cpu{core}" / "cache" / f"index{index}"
                folder.mkdir(parents=True)
                for name, text in zip(("level", "type", "size", "shared_cpu_list"), level, strict=True):
                    (folder / name).write_text(text.format(n=core) + "\n")
        return tmp_path

    return write


def cores(count: int) -> frozenset[int]:
    return frozenset(range(count))


@pytest.mark.parametrize(
    ("levels", "reading", "usable"),
    [
        (SERVER, Reading(48 * KIB, 768 * KIB), Caches(48 * KIB, 768 * KIB)),
        ((), Reading(None, None), Caches(32 * KIB, 512 * KIB)),
        (SERVER[:1], Reading(48 * KIB, None), Caches(48 * KIB, 512 * KIB)),
        (
            (("1", "Data", "128K", "{n}"), ("2", "Unified", "12M", "0-1")),
            Reading(128 * KIB, 6144 * KIB),
            Caches(65536, 1048576),
        ),
        ((("1", "Data", "8K", "{n}"), ("2", "Unified", "64K", "{n}")), Reading(8192, 65536), Caches(32 * KIB, 256 * KIB)),
        ((*SERVER, ("3", "Unified", "491520K", "0-1")), Reading(48 * KIB, 768 * KIB), Caches(48 * KIB, 768 * KIB)),
        ((("1", "Data", "48K", "0,1"), ("2", "Unified", "1M", "0-1")), Reading(24 * KIB, 512 * KIB), Caches(32768, 524288)),
        ((("2", "Unified", "1048576K", "7"),), Reading(None, 1 << 30), Caches(32 * KIB, 1024 * KIB)),
    ],
    ids=["a server", "nothing", "one level", "too large", "too small", "480 MiB of third level", "siblings", "1 GiB, others'"],
)
def test_what_is_read_is_clamped_and_what_is_not_is_stated(
    levels: tuple[Level, ...], reading: Reading, usable: Caches, system: Callable[..., Path]
) -> None:
    found = read(system(levels, levels), cores(2))
    assert found == reading
    assert found.usable == usable


@pytest.mark.parametrize("bad", ["", "0K", "-32K", "32", "32 apples", "1e9K", "32KK", "\u0663\u0662K"])
def test_a_size_that_is_none_is_not_read(bad: str, system: Callable[..., Path]) -> None:
    levels = (("1", "Data", bad, "{n}"), ("2", "Unified", "768K", "{n}"))
    assert read(system(levels), cores(1)) == Reading(None, 768 * KIB)


@pytest.mark.parametrize("bad", ["", "all", "0-", "0,,1", "-"])
def test_a_list_of_cores_that_is_none(bad: str, system: Callable[..., Path]) -> None:
    assert read(system((("1", "Data", "48K", bad), ("2", "Unified", "1M", "0-99999999999"))), cores(1)) == Reading(
        None, 1 << 20
    )


def test_levels_that_are_no_numbers_and_files_that_are_absent(system: Callable[..., Path]) -> None:
    folder = system((("first", "Data", "48K", "0"), ("2", "Unified", "1M", "0")))
    (folder / "cpu0" / "cache" / "index1" / "size").unlink()
    assert read(folder, cores(1)) == Reading(None, None)


def test_of_unlike_cores_the_least_that_this_process_may_use(system: Callable[..., Path]) -> None:
    """Two performance cores, and four efficient ones that share a second level."""
    fast = (("1", "Data", "48K", "{n}"), ("2", "Unified", "1280K", "{n}"))
    slow = (("1", "Data", "32K", "{n}"), ("2", "Unified", "2048K", "2-5"))
    folder = system(fast, fast, slow, slow, slow, slow)
    assert read(folder, cores(6)) == Reading(32 * KIB, 512 * KIB)
    assert read(folder, cores(2)) == Reading(48 * KIB, 1280 * KIB)
    assert read(folder, frozenset({0, 2})) == Reading(32 * KIB, 1280 * KIB)


@pytest.fixture
def roomy(system: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with caches of its own, and no variable that speaks of them."""
    monkeypatch.setattr(module, "SYSTEM", system(*[SERVER] * ALL))
    monkeypatch.delenv(SIZES, raising=False)
    monkeypatch.delenv(PROCESSOR, raising=False)


def test_another_processor_has_stated_caches(roomy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert caches_of() == host().caches == Caches(48 * KIB, 768 * KIB)
    other = next(d for name, d in BACKEND.devices.items() if name != "host")
    assert host(other.architecture).caches == Caches(32 * KIB, 512 * KIB)
    monkeypatch.setenv(PROCESSOR, other.architecture)
    assert caches_of() == host().caches == Caches(32 * KIB, 512 * KIB)


def test_kernels_of_machines_with_other_caches_are_others(roomy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    before = BACKEND.machine()
    assert BACKEND.machine() == before
    assert BACKEND.environment(BACKEND.devices["host"])[SIZES] == "48K,768K"
    monkeypatch.setenv(SIZES, "32K,512K")
    assert caches() == caches("another") == Caches(32 * KIB, 512 * KIB)
    assert BACKEND.machine() != before


@pytest.mark.parametrize("text", ["32K", "32K,512K,4M", "16K,512K", "32K,2M", "large", "32768,524288"])
def test_sizes_that_cannot_be_given(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIZES, text)
    with pytest.raises(UolError, match=f"UOL_CPU_CACHES is '{text}'") as raised:
        caches()
    assert raised.value.hint == "it is the first and the second level of a core, from 32K,256K to 64K,1024K"


@pytest.mark.parametrize(
    ("sizes", "depth", "column_tiles"),
    [
        (Caches(32 * KIB, 512 * KIB), 512, 8),
        (Caches(32 * KIB, 256 * KIB), 256, 8),
        (Caches(48 * KIB, 512 * KIB), 512, 8),
        (Caches(64 * KIB, 1024 * KIB), 1024, 8),
    ],
)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_blocks_follow_from_the_caches(dtype: str, sizes: Caches, depth: int, column_tiles: int) -> None:
    """A block of panels for 128 columns in half of the second level, of 16 columns each; of 256 steps at the least, 1024 at the
    most."""
    (spec,) = graph_of(program_of("matmul", types={"T": dtype}, ranks={"S": 0}, dims=dict.fromkeys("MKN", 2048))).specs
    found = candidates(spec, replace(Host("znver3", 32, 16, 2), caches=sizes))
    (schedule,) = found
    assert isinstance(schedule, Panels)
    if dtype == "f32":
        assert (schedule.depth, schedule.column_tiles) == (depth, column_tiles)
    width = {"f32": 4, "f64": 8}[dtype]
    assert schedule.depth * width * schedule.column_tiles * schedule.vectors * schedule.lanes <= sizes.second // 2
    assert defect(schedule, found) is None


def test_doctor_shows_what_was_read_and_taken(system: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIZES, raising=False)
    monkeypatch.delenv(PROCESSOR, raising=False)
    monkeypatch.setattr(module, "SYSTEM", system(*[(("1", "Data", "48K", "{n}"), ("2", "Unified", "480M", "{n}"))] * ALL))
    (state,) = (s for s in BACKEND.doctor() if s.name == "caches")
    assert state.found
    assert state.detail == "L1 48 KiB, L2 491520 KiB, taken as 1024 KiB a core"
    monkeypatch.setenv(SIZES, "32K,512K")
    (state,) = (s for s in BACKEND.doctor() if s.name == "caches")
    assert state.detail == "L1 48 KiB, L2 491520 KiB, taken as 1024 KiB a core; kernels are cut for 32K,512K"
    monkeypatch.delenv(SIZES)
    monkeypatch.setattr(module, "SYSTEM", Path("/nowhere"))
    (state,) = (s for s in BACKEND.doctor() if s.name == "caches")
    assert not state.found
    assert state.detail == "L1 not read, taken as 32 KiB, L2 not read, taken as 512 KiB a core"

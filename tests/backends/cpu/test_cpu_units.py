"""Which instructions on words a processor gets: by its name in the object code, and as this machine lends them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from cpu_cases import graph_of, module_of, program_of

from uol.backends.cpu.backend import BACKEND
from uol.backends.cpu.dots import units
from uol.backends.cpu.host import PROCESSOR, Host, host
from uol.backends.cpu.schedules.kinds import Panels
from uol.backends.toolchain.processor import instruction_sets
from uol.codegen.backend import Module
from uol.ir.errors import ResourceError, UolError
from uol.ir.program.nodes import Program

BF16 = program_of("matmul", types={"T": "bf16"}, ranks={"S": 0}, dims={"M": 132, "K": 256, "N": 128})
BYTES = program_of(
    "op words(a: u8[M, K], b: i8[K, N]) -> (y: i32[M, N]) { y[m, n] = sum[k](i32(a[m, k]) * i32(b[k, n])) }",
    types={},
    dims={"M": 132, "K": 256, "N": 128},
)
INSTRUCTIONS = [
    ("cooperlake", BF16, "vdpbf16ps"),
    ("znver4", BF16, "vdpbf16ps"),
    ("icelake-server", BYTES, "vpdpbusd"),
    ("alderlake", BYTES, "vpdpbusd"),
    ("sapphirerapids", BF16, "tdpbf16ps"),
    ("sapphirerapids", BYTES, "tdpbusd"),
    ("graniterapids", BF16, "tdpbf16ps"),
]
"""By processor and program."""


def built_for(processor: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> Module:
    monkeypatch.setenv(PROCESSOR, processor)
    return module_of(graph_of(program))


def straight_code(disassembly: str) -> list[list[str]]:
    """The mnemonics of every stretch that ends with a jump, a call or a return."""
    names = re.findall(r"^\s*[0-9a-f]+:\t(?:\{vex\} )?(\w+)", disassembly, re.M)
    found: list[list[str]] = [[]]
    for name in names:
        found[-1].append(name)
        if name.startswith(("j", "call", "ret")):
            found.append([])
    return found


@pytest.mark.parametrize(("processor", "program", "instruction"), INSTRUCTIONS)
def test_the_busiest_code_is_of_the_instruction(
    processor: str, program: object, instruction: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the object code, as the system's assembler takes it. Between its first and last there are the loads, and no more of
    them: no sum is spilled."""
    module, library = built_for(processor, program, monkeypatch), tmp_path / "kernel.so"
    library.write_bytes(BACKEND.build(module).binary)
    schedule = module.kernels[0].schedule
    assert isinstance(schedule, Panels)
    sums = schedule.rows * schedule.vectors
    count = 4 if schedule.unit == "tiles" else 4 * sums  # registers of sums; words that are written out, of all sums
    assert sums >= 8
    command = ["objdump", "-d", "--no-show-raw-insn", str(library)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    busiest = max(straight_code(text), key=lambda body: body.count(instruction))
    first, *_, last = (place for place, name in enumerate(busiest) if name == instruction)
    between = Counter(busiest[first : last + 1])
    assert between[instruction] >= count and between[instruction] % count == 0
    loads = {name for name in between if name.startswith(("vmov", "vbroadcast", "vpbroadcast", "tileloadd"))}
    asked = {"prefetcht1", "mov"} if schedule.unit == "tiles" else set()  # for the rows that come next; addresses
    assert set(between) <= loads | asked | {instruction, "lea", "add"}
    assert sum(between[name] for name in loads) <= between[instruction]
    assert ("ldtilecfg" in text) == instruction.startswith("t") == ("tilerelease" in text)


@pytest.mark.parametrize("processor", ["haswell", "x86-64-v4", "icelake-server"])
def test_processors_without_multiply_in_32_bits(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = built_for(processor, BF16, monkeypatch)
    text = next(f.text for f in module.host if f.name.endswith(".s"))
    assert not re.search(r"vdpbf16ps|tdpbf16ps|uol_dot|uol_tile", text)
    assert "vfmadd" in text


@pytest.fixture
def tiles_machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This machine, as if it had all instruction sets."""
    all_sets = instruction_sets() | {"amx_tile", "amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx_vnni"}
    monkeypatch.setattr(units, "instruction_sets", lambda: all_sets)
    return monkeypatch


def test_a_machine_that_refuses_its_tiles_takes_the_dots(tiles_machine: pytest.MonkeyPatch) -> None:
    tiles_machine.setattr(units, "_asked", lambda: True)
    assert units.units_of(lambda _: True, is_here=True) == set(units.UNITS)
    lent = BACKEND.machine()
    tiles_machine.setattr(units, "_asked", lambda: False)
    refused = {"dots of bf16", "dots of bytes"}
    assert units.units_of(lambda _: True, is_here=True) == units.units_of(lambda _: True, is_here=False) == refused
    assert BACKEND.machine() != lent  # what is cached with tiles is not found without
    host.__globals__["_host"].cache_clear()
    tiles_machine.setenv(PROCESSOR, "sapphirerapids")
    try:
        assert host().units == refused
        assert getattr(module_of(graph_of(BF16)).kernels[0].schedule, "unit", "") == "dots"
    finally:
        host.__globals__["_host"].cache_clear()


def test_a_kernel_with_tiles_is_not_loaded_where_they_are_refused(tiles_machine: pytest.MonkeyPatch) -> None:
    tiles_machine.setattr(units, "_asked", lambda: True)
    artifact = BACKEND.build(built_for("sapphirerapids", BF16, tiles_machine))
    tiles_machine.setattr(units, "_asked", lambda: False)
    with pytest.raises(ResourceError, match="does not lend tile registers"):
        BACKEND.load(artifact)


def test_what_the_processor_lacks_is_not_used_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual machine may hide what its processor has."""
    monkeypatch.setattr(units, "instruction_sets", lambda: frozenset({"avx512_vnni", "avx2"}))
    assert units.units_of(lambda _: True, is_here=True) == {"dots of bytes"}
    assert units.units_of(lambda name: name == "avxvnni", is_here=False) == {"dots of bytes"}
    assert units.tiles() == "absent"


def test_what_the_system_shows_is_used_whatever_llvm_calls_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it may show all of it under the model of another one."""
    host()  # as this machine is, for the tests that follow
    monkeypatch.setattr(units, "instruction_sets", lambda: frozenset({"amx_tile", "amx_bf16", "avx512_vnni", "avx2"}))
    assert units.shown_beyond({"avx2", "amx-tile"}.__contains__) == ("amx-bf16", "avx512vnni")
    assert units.shown_beyond(lambda _: True) == ()
    machine = Host("rocketlake", 64, 32, 2, units=frozenset({"tiles of bf16"}), features=("amx-tile", "amx-bf16"))
    assert machine.processor == "rocketlake+amx-tile+amx-bf16"
    with monkeypatch.context() as patch:
        patch.setattr("uol.backends.cpu.assembling.host", lambda _: machine)
        patch.setattr("uol.backends.cpu.backend.host", lambda *_: machine)
        text = next(f.text for f in module_of(graph_of(BF16)).host if f.name.endswith(".s"))
        assert BACKEND.environment(BACKEND.devices["host"])[PROCESSOR] == machine.processor
    assert "tdpbf16ps" in text


def test_a_processor_is_named_with_what_it_has_beside_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bundle's manifest names the one that it was made for."""
    text = next(f.text for f in built_for("icelake-server+avx512bf16", BF16, monkeypatch).host if f.name.endswith(".s"))
    assert "vdpbf16ps" in text
    assert host().processor == "icelake-server+avx512bf16"
    monkeypatch.setenv(PROCESSOR, "icelake-server+amx")
    with pytest.raises(UolError, match=r"UOL_CPU is 'icelake-server\+amx'") as caught:
        host()
    assert "amx-bf16" in str(caught.value.hint)


def test_doctor_says_what_multiplies_words_and_why_not(tiles_machine: pytest.MonkeyPatch) -> None:
    tiles_machine.setattr("uol.backends.cpu.dots.units._asked", lambda: False)
    told = {state.name: state for state in BACKEND.doctor()}
    assert [told[unit].found for unit in ("tiles of bf16", "tiles of bytes", "dots of bf16", "dots of bytes")] == [
        False,
        False,
        True,
        True,
    ]
    assert "arch_prctl" in told["tiles of bf16"].install_hint
    tiles_machine.setattr(units, "instruction_sets", lambda: frozenset())
    told = {state.name: state for state in BACKEND.doctor()}
    assert told["tiles of bf16"].install_hint == "a processor with amx-tile and amx-bf16"
    assert told["dots of bytes"].install_hint == "a processor with avx512vnni or avxvnni"
    assert not told["dots of bf16"].found


def test_the_launcher_asks_for_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is a program that the system's compiler takes."""
    module = built_for("sapphirerapids", BF16, monkeypatch)
    for file in module.host:
        (tmp_path / file.name).write_text(file.text)
    launcher = (tmp_path / "matmul_host.cpp").read_text()
    assert "syscall(SYS_arch_prctl, 0x1023, 18)" in launcher
    assert shutil.which("cc") is not None
    subprocess.run(module.build.split(), cwd=tmp_path, check=True)
    monkeypatch.setenv(PROCESSOR, "x86-64-v3")
    plain = next(f.text for f in module_of(graph_of(BF16)).host if f.name == "matmul_host.cpp")
    assert "arch_prctl" not in plain

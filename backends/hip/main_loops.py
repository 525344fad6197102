"""Main loops of the kernels of a code object, from llvm-objdump's listing. Names of instructions: CDNA2 instruction set
architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping

from uol.backends.hip.accesses import BYTES, disassembled
from uol.backends.hip.resources import code_object
from uol.backends.simt.machine.main_loop import classes, main_loop
from uol.backends.toolchain.machine_loops import Instruction
from uol.codegen.backend import Artifact
from uol.codegen.extensions import MainLoop

CLASSES = classes(
    {
        "product": r"v_(mfma|smfmac)",
        "accumulator move": r"v_accvgpr",
        "shared load": r"ds_(read|load)",
        "shared store": r"ds_(write|store)",
        "shuffle": r"ds_|v_permlane",
        "spill": r"scratch_",
        "global load": r"(global|buffer|flat)_load",
        "global store": r"(global|buffer|flat)_",
        "scalar load": r"s_(buffer_)?load",
        "wait": r"s_waitcnt",
        "barrier": r"s_barrier",
        "control": r"s_(cbranch|branch|nop|endpgm|sleep|setprio|sched|clause|code_end|setreg)",
        "special": r"v_(exp|log|rcp|rsq|sqrt|sin|cos)_",
        "conversion": r"v_(cvt|pack)",
        "float": r"v_(pk_)?(add|sub|mul|fma|fmac|mac|max|min|max3|mad|cmp\w*)_\w*f(16|32)",
        "move": r"v_(pk_)?mov|v_perm|v_cndmask",
        "scalar": r"s_",
        "integer": r"v_",
    }
)
_KERNEL = re.compile(r"([0-9a-f]{16}) <([^>]+)>:")
_LINE = re.compile(r"\s+(\S.*?)\s*//\s*([0-9A-Fa-f]+):[0-9A-Fa-f ]*(?:<([^+>]+)(?:\+0x([0-9a-f]+))?>)?")
_LOAD = re.compile(rf"(?:global|flat|buffer)_load_({'|'.join(BYTES)})\b")
_NARROW = re.compile(r"ds_(read|write|load|store)_[iub](16|8)")
_PENDING = re.compile(r"s_waitcnt.*\bvmcnt\((\d+)\)")
_INNER_LABEL = re.compile(r"(L|BB)\d")


def main_loops(artifact: Artifact) -> Mapping[str, MainLoop]:
    """The main loop of each kernel that has one on matrix units, by name."""
    found = {name: loop_of(listing) for name, listing in listings(disassembled(code_object(artifact.binary))).items()}
    return {name: loop for name, loop in found.items() if loop is not None}


def listings(text: str) -> Mapping[str, list[Instruction]]:
    """The instructions of each kernel."""
    kernels: dict[str, list[Instruction]] = {}
    starts: dict[str, int] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if begins := _KERNEL.match(line):
            if not _INNER_LABEL.match(begins[2]):
                current = kernels.setdefault(begins[2], [])
            starts[begins[2]] = int(begins[1], 16)
        elif found := _LINE.match(line):
            said, address, symbol, offset = found.groups()
            name = said.split()[0]
            jumps = name.startswith(("s_cbranch", "s_branch")) and symbol in starts
            target = starts[symbol] + int(offset or "0", 16) if jumps else None
            current.append(Instruction(int(address, 16), name, said, target, name in ("s_branch", "s_endpgm", "s_setpc_b64")))
    return kernels


def loop_of(listing: list[Instruction]) -> MainLoop | None:
    """The main loop of a kernel. A load is brought to registers while the wave goes on: none is beside what it does."""
    loads = {each.text: (BYTES[found[1]], False) for each in listing if (found := _LOAD.match(each.text))}
    narrow = [each.text for each in listing if _NARROW.match(each.text)]
    waits = {each.text: int(found[1]) for each in listing if (found := _PENDING.match(each.text))}
    return main_loop(listing, CLASSES, loads=loads, narrow=narrow, waits=waits)

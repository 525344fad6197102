"""Main loops of the kernels of a cubin, from cuobjdump's listing. Names of instructions: CUDA binary utilities, instruction set
reference."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from uol.backends.cache.disk_errors import build_folder
from uol.backends.simt.machine.main_loop import classes, main_loop
from uol.backends.toolchain.machine_loops import Instruction
from uol.backends.toolchain.running import run_tool
from uol.codegen.backend import Artifact
from uol.codegen.extensions import MainLoop
from uol.ir.errors import MissingToolError, ToolchainError

DISASSEMBLER = "cuobjdump"
CLASSES = classes(
    {
        "product": r"[HIDBQ]G?MMA",
        "matrix load": r"LDSM",
        "asynchronous copy": r"LDGSTS|UTMALDG|UBLKCP",
        "shared load": r"LDS\b",
        "shared store": r"STSM?\b",
        "wait": r"(LDG)?DEPBAR",
        "global load": r"LDG?\b",
        "global store": r"STG?\b",
        "spill": r"LDL|STL",
        "barrier": r"BAR|SYNCS|WARPSYNC|MEMBAR|ERRBAR",
        "shuffle": r"SHFL|REDUX|VOTE",
        "special": r"MUFU",
        "conversion": r"F2FP?|I2FP?|F2I|I2I|FRND",
        "float": r"[FHD](ADD|MUL|FMA|MNMX|SETP|SEL|SET|CHK)",
        "move": r"U?MOV|IMAD\.MOV|CS2R|S2U?R|R2UR|PRMT|U?SEL|MOVM|U?LDC",
        "integer": r"U?(IADD|IMAD|LOP|SHF|LEA|ISETP|IMNMX|IABS|POPC|FLO|BREV|PLOP|SGXT|SH[LR]|BMSK)|V",
        "control": r"BRA|EXIT|BSSY|BSYNC|RET|CALL|NOP|BREAK|YIELD|KILL|BPT|R2P|P2R",
    }
)
"""A load with a predicate that is never true, which stands in front of asynchronous copies, is one of shared memory."""
_KERNEL = re.compile(r"\s*Function : (\S+)")
_LINE = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;")
_NAME = re.compile(r"(?:\{\s*)?(?:@!?U?P\w+\s+)?([\w.]+)")
_TARGET = re.compile(r"0x([0-9a-f]+)$")
_CONDITION = re.compile(r"^\s*\{?\s*@|\s!?U?P\d")
BYTES = {"128": 16, "64": 8, "U16": 2, "S16": 2, "U8": 1, "S8": 1}


def main_loops(artifact: Artifact) -> Mapping[str, MainLoop]:
    """The main loop of each kernel that has one on matrix units, by name."""
    found = {name: loop_of(listing) for name, listing in listings(_disassembled(artifact.binary)).items()}
    return {name: loop for name, loop in found.items() if loop is not None}


def listings(text: str) -> Mapping[str, list[Instruction]]:
    """The instructions of each kernel."""
    kernels: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        if begins := _KERNEL.match(line):
            current = kernels.setdefault(begins[1], [])
        elif found := _LINE.match(line):
            current.append(_instruction(int(found[1], 16), found[2]))
    return kernels


def _instruction(address: int, text: str) -> Instruction:
    name = found[1] if (found := _NAME.match(text)) else text
    word = name.partition(".")[0]
    target = _TARGET.search(text) if word == "BRA" else None
    leaves = word in ("BRA", "EXIT", "RET") and not _CONDITION.search(text)
    return Instruction(address, name, text, int(target[1], 16) if target else None, leaves)


def loop_of(listing: list[Instruction]) -> MainLoop | None:
    """The main loop of a kernel."""
    loads = {each.text: (_bytes(each), is_async) for each, is_async in _loads(listing)}
    narrow = [each.text for each in listing if re.match(r"(LDS|STS)\b", each.name) and _bytes(each) == 2]
    waits = {each.text: int(found[1], 16) for each in listing if (found := re.match(r"DEPBAR\.LE SB0, (0x\w+)", each.text))}
    return main_loop(listing, CLASSES, loads=loads, narrow=narrow, waits=waits)


def _loads(listing: list[Instruction]) -> Iterator[tuple[Instruction, bool]]:
    for each in listing:
        if re.match(r"LDGSTS|LDG?\b", each.name):
            yield each, each.name.startswith("LDGSTS")


def _bytes(instruction: Instruction) -> int:
    return next((BYTES[part] for part in instruction.name.split(".")[1:] if part in BYTES), 4)


def _disassembled(binary: bytes) -> str:
    tool = _disassembler()
    with build_folder() as folder:
        path = folder / "kernels.cubin"
        path.write_bytes(binary)
        environment = {**os.environ, "PATH": os.pathsep.join([str(Path(tool).parent), os.environ.get("PATH", "")])}
        done = run_tool(DISASSEMBLER, [tool, "-sass", str(path)], environment=environment)
    if done.returncode:
        raise ToolchainError(f"{DISASSEMBLER} refused the cubin: {done.stderr.strip()}")
    return done.stdout


def _disassembler() -> str:
    """PyPI's, else the system's; nvdisasm, which it runs, lies beside it."""
    spec = importlib.util.find_spec("nvidia")
    roots = (spec.submodule_search_locations or []) if spec else []
    folders = [str(path.parent) for root in roots for path in sorted(Path(root).glob(f"*/bin/{DISASSEMBLER}"))]
    if found := shutil.which(DISASSEMBLER, path=os.pathsep.join([*folders, os.environ.get("PATH", "")])):
        return found
    raise MissingToolError(f"no {DISASSEMBLER} was found", hint="pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm")

"""How the kernels of a code object read and write the device's memory: the instructions of each width, from llvm-objdump.

Names of instructions: CDNA2 instruction set architecture, global, flat and buffer memory instructions.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from uol.backends.cache.disk_errors import build_folder
from uol.backends.hip import clang
from uol.backends.hip.resources import code_object
from uol.backends.toolchain.running import run_tool
from uol.codegen.backend import Artifact
from uol.codegen.extensions import Accesses, Way
from uol.ir.errors import MissingToolError, ToolchainError

WHOLE_BYTES = 16
"""What one instruction moves at most for a lane."""
DISASSEMBLER = "llvm-objdump"
BYTES = {"byte": 1, "ubyte": 1, "sbyte": 1, "short": 2, "ushort": 2, "sshort": 2} | {
    f"dword{'' if words == 1 else f'x{words}'}": 4 * words for words in (1, 2, 3, 4)
}
_KERNEL = re.compile(r"[0-9a-f]+ <(.+)>:")
_ACCESS = re.compile(rf"\s*(?:global|flat|buffer)_(load|store)_({'|'.join(BYTES)})(?:_d16(?:_hi)?)?\s+([^/]*)")
_RESULT = re.compile(r"\s*(?!\w+_store_|ds_write)\w+\s+(v\S+)(?:,|\s)")
_REGISTERS = re.compile(r"v\[?(\d+)(?::(\d+))?")
_OFFSET = re.compile(r"offset:(-?\d+)")
_SETTING = re.compile(r"\s+(?:offset:\S+|offen|idxen|[gs]lc|nt|sc\d)")


@dataclass(frozen=True, slots=True)
class _Access:
    """One instruction: `base` is the operands that its address is computed from, `times` how often their registers had been
    written to by then; `offset` is added to that, in bytes."""

    way: Way
    base: tuple[str, ...]
    times: tuple[int, ...]
    offset: int
    size_bytes: int


def accesses(artifact: Artifact) -> Mapping[str, Accesses]:
    """The accesses of each kernel, by name. Raises MissingToolError where there is no disassembler beside the compiler."""
    lines = {kernel.name: list[str]() for kernel in artifact.module.kernels}
    name = ""
    for line in disassembled(code_object(artifact.binary)).splitlines():
        if begins := _KERNEL.match(line):
            name = begins[1]
        elif name in lines:
            lines[name].append(line)
    return {kernel: _of_kernel(list(_accesses_of(each))) for kernel, each in lines.items()}


def _of_kernel(found: list[_Access]) -> Accesses:
    return Accesses(Counter((each.way, each.size_bytes) for each in found), tuple(_split(found)))


def disassembled(binary: bytes) -> str:
    """What llvm-objdump says of a code object. Raises MissingToolError without it."""
    with build_folder() as folder:
        path = folder / "kernels.co"
        path.write_bytes(binary)
        done = run_tool(DISASSEMBLER, [_disassembler(), "-d", str(path)])
    if done.returncode:
        raise ToolchainError(f"{DISASSEMBLER} refused the code object: {done.stderr.strip()}")
    return done.stdout


def _disassembler() -> str:
    """The one that lies beside a clang which hipcc may run: it knows what that makes."""
    for compiler in clang.compilers():
        beside = compiler.resolve().parent / DISASSEMBLER
        if beside.is_file():
            return str(beside)
    raise MissingToolError(f"no {DISASSEMBLER} lies beside the clang that hipcc runs", hint="install ROCm, or Debian's llvm-17")


def _accesses_of(lines: Iterable[str]) -> Iterator[_Access]:
    """The accesses of a kernel, in the order of its text. Two have one base where nothing between has written to its
    registers."""
    written: Counter[int] = Counter()
    for line in lines:
        if found := _ACCESS.match(line):
            way: Way = "load" if found[1] == "load" else "store"
            offset = _OFFSET.search(found[3])
            operands = [each.strip() for each in _SETTING.sub("", found[3]).split(",")]
            del operands[0 if way == "load" else 1]  # what is loaded or stored
            times = tuple(written[number] for each in operands for number in _registers(each))
            yield _Access(way, tuple(operands), times, int(offset[1]) if offset else 0, BYTES[found[2]])
        if result := _RESULT.match(line):
            written.update(_registers(result[1]))


def _registers(operand: str) -> Sequence[int]:
    """The numbers of the vector registers of an operand: 4 and 5 of `v[4:5]`."""
    found = _REGISTERS.match(operand)
    return range(int(found[1]), int(found[2] or found[1]) + 1) if found else ()


def _split(found: list[_Access]) -> Iterator[str]:
    """The accesses of 16 bytes that are made by pieces of different widths, which lie end to end from one address on. Elements
    that are read one by one have one width, or are put together to whole accesses; only what was whole in the text and came
    apart has several."""
    by_base: dict[tuple[Way, tuple[str, ...], tuple[int, ...]], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for each in found:
        by_base[each.way, each.base, each.times][each.offset].add(each.size_bytes)
    for (way, base, _), pieces in by_base.items():
        for start in sorted(pieces):
            mixed = (widths for widths in _fillings(pieces, start, start + WHOLE_BYTES) if len({*widths}) > 1)
            if widths := next(mixed, None):
                yield f"{way} of {' + '.join(map(str, widths))} bytes at {base[0]}"
                break


def _fillings(pieces: Mapping[int, set[int]], start: int, end: int) -> Iterator[tuple[int, ...]]:
    """The widths of pieces that fill the bytes from `start` to `end`, in every way."""
    if start == end:
        yield ()
        return
    for width in sorted(pieces.get(start, ()), reverse=True):
        if start + width <= end:
            yield from ((width, *rest) for rest in _fillings(pieces, start + width, end))

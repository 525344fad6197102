"""What multiplies words in a processor, and whether this machine lets a program use it. Nothing here needs TVM.

dots     vector instructions: AVX-512 BF16, AVX-512 VNNI, AVX-VNNI
tiles    tile registers, AMX. Linux lends them to a program that asks (arch_prctl(2); Documentation/arch/x86/xstate.rst)
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from uol.backends.toolchain.processor import instruction_sets
from uol.codegen.backend import Kernel
from uol.ir.errors import ResourceError

UNITS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "tiles of bf16": (("amx-tile", "amx-bf16"),),
    "tiles of bytes": (("amx-tile", "amx-int8"),),
    "dots of bf16": (("avx512bf16",),),
    "dots of bytes": (("avx512vnni",), ("avxvnni",)),
}
"""Each with what a processor must have for it, one or the other, as LLVM calls it."""
FEATURES = frozenset(name for ways in UNITS.values() for way in ways for name in way)
LINUX_NAMES = {"avx512bf16": "avx512_bf16", "avx512vnni": "avx512_vnni", "avxvnni": "avx_vnni"}
"""Of instruction sets, where Linux calls them otherwise but for hyphens."""
SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA = 158, 0x1023, 18
TILES = "amx_tile"


def units_of(has: Callable[[str], object], *, is_here: bool) -> frozenset[str]:
    """Those of a processor with the instruction sets that `has` knows; of this machine's, those that may be used. A machine
    with tiles that lends none has none, whatever processor is asked for."""
    found = {unit for unit, ways in UNITS.items() if any(all(has(name) for name in way) for way in ways)}
    if is_here:
        found &= {unit for unit in UNITS if is_present(unit)}
    return frozenset(unit for unit in found if not (unit.startswith("tiles") and tiles() == "refused"))


def is_present(unit: str) -> bool:
    """Has this machine's processor the unit, as the system shows it?"""
    return any(map(_is_shown, UNITS[unit]))


def shown_beyond(has: Callable[[str], object]) -> tuple[str, ...]:
    """The instruction sets of units that the system shows, and a processor of LLVM's name for it lacks: a virtual machine may
    show its processor's instructions under another one's model."""
    ways = [way for ways in UNITS.values() for way in ways if _is_shown(way)]
    return tuple(dict.fromkeys(name for way in ways for name in way if not has(name)))


def _is_shown(way: Sequence[str]) -> bool:
    shown = instruction_sets()
    return all(LINUX_NAMES.get(name, name.replace("-", "_")) in shown for name in way)


def tiles() -> str:
    """`absent`, `lent` or `refused`: asks the system for this process's tile registers."""
    if TILES not in instruction_sets():
        return "absent"
    return "lent" if _asked() else "refused"


def takes_tiles(kernel: Kernel) -> bool:
    """Does a kernel need tile registers?"""
    return getattr(kernel.schedule, "unit", "") == "tiles"


def require_tiles() -> None:
    """Raises ResourceError where the system refuses the tile registers of its processor."""
    if tiles() == "refused":
        raise ResourceError("the system does not lend tile registers to this process", hint="compile again, without them")


@cache
def _asked() -> bool:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    return bool(ctypes.CDLL(None).syscall(SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0)

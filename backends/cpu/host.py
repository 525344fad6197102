"""The processor that kernels are built for and run on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uol.backends.cpu.caches import STATED, Caches, caches
from uol.backends.cpu.dots.units import FEATURES, shown_beyond, units_of
from uol.ir.errors import UolError
from uol.ir.without_torch import import_tvm

NATIVE = "native"
"""The architecture of the machine that compiles."""
PROCESSOR, THREADS = "UOL_CPU", "UOL_NUM_THREADS"
"""The environment variables that say what `native` is (a name of LLVM's, with a + before each feature of `dots/units.py` that
it lacks), and how many threads kernels are cut for and run on."""
FALLBACK = {"x86_64": "x86-64-v3", "AMD64": "x86-64-v3"}
"""For a processor that LLVM does not know: any with AVX2."""


@dataclass(frozen=True, slots=True)
class Host:
    """A processor to build for: `mcpu` as LLVM names it, the width of its vectors, how many of them there are, how many
    cores kernels are cut for, and the caches of each."""

    mcpu: str
    vector_bytes: int
    vector_registers: int
    cores: int
    caches: Caches = STATED
    units: frozenset[str] = frozenset()
    """What multiplies words: see `dots/units.py`."""
    features: tuple[str, ...] = ()
    """Instruction sets beside those that LLVM knows of `mcpu`."""

    @property
    def processor(self) -> str:
        """Its name, with all that kernels for it may be made of."""
        return "+".join((self.mcpu, *self.features))

    @property
    def target(self) -> dict[str, object]:
        """What TVM is asked to build for."""
        return target_of(self.mcpu, self.features)

    @property
    def lanes(self) -> int:
        """f32 lanes of a vector."""
        return self.vector_bytes // 4


def target_of(mcpu: str, features: Sequence[str] = ()) -> dict[str, object]:
    """A processor as TVM is told of it."""
    added = {"mattr": [f"+{name}" for name in features]} if features else {}
    return {"kind": "llvm", "mcpu": mcpu, **added}


def host(architecture: str = NATIVE) -> Host:
    """The processor of that name, as TVM's LLVM sees it. UOL_CPU says what `native` is. Raises UolError where LLVM does not
    know it."""
    return _host(architecture, os.environ.get(PROCESSOR, ""), core_count(), caches_of(architecture))


def caches_of(architecture: str = NATIVE) -> Caches:
    """The caches of that processor: stated ones, but for this machine's own. Raises UolError as `caches` does."""
    return caches(os.environ.get(PROCESSOR, "")) if architecture == NATIVE else STATED


@cache
def _host(architecture: str, native: str, cores: int, sizes: Caches) -> Host:
    import_tvm()
    import tvm

    def ask(question: str, *args: object) -> object:
        return tvm.get_global_func(f"target.{question}")(*args)

    known = sorted(map(str, tvm.get_global_func("target.llvm_get_cpu_archlist")(tvm.target.Target({"kind": "llvm"}))))
    named, *given = native.split("+")
    if native and (named not in known or not FEATURES.issuperset(given)):
        hint = f"LLVM knows {', '.join(known)}; behind a + may be {', '.join(sorted(FEATURES))}"
        raise UolError(f"{PROCESSOR} is {native!r}", hint=hint)
    is_here = architecture == NATIVE and not native
    mcpu, features = (named, tuple(given)) if architecture == NATIVE else (architecture, ())
    if is_here:
        found = str(ask("llvm_get_system_cpu"))
        mcpu = FALLBACK.get(platform.machine(), found) if found == "generic" else found
        by_name = tvm.target.Target(target_of(mcpu))
        features = shown_beyond(lambda feature: ask("llvm_cpu_has_feature", feature, by_name))
    target = tvm.target.Target(target_of(mcpu, features))
    wide = bool(ask("llvm_cpu_has_feature", "avx512f", target))
    vector_bytes = 64 if wide else 32 if ask("llvm_cpu_has_feature", "avx2", target) else 16
    # SSE and AVX2 have 16 vector registers; AVX-512 and NEON have 32
    registers = 16 if platform.machine() in FALLBACK and not wide else 32
    units = units_of(lambda feature: ask("llvm_cpu_has_feature", feature, target), is_here=is_here)
    return Host(mcpu, vector_bytes, registers, cores, sizes, units, features)


def core_count() -> int:
    """How many threads kernels run on: UOL_NUM_THREADS, or the cores that this process may use. Raises UolError where that is
    no number of threads."""
    wanted = os.environ.get(THREADS, "").strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if wanted:
        raise UolError(f"{THREADS} is {wanted!r}", hint="it is a number of threads, 1 or more; unset, all cores are used")
    return usable_cores()


def usable_cores() -> int:
    """The cores that this process may use: its affinity, and its container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _container_quota() or allowed))


def _container_quota() -> int | None:
    """The cores that a container's quota amounts to (cgroup v2, `cpu.max`); None where there is no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else -(-int(quota) // int(period))

"""Pointers of a kernel followed over lanes, and what is moved through them: asynchronous copies, words, rows of matrices,
ranges.

    const uol::f16* from = uol::pinned(a + row * K);     `from` is element row * K of `a`
    uol::copy_async<16>(shared + to, from + k, k < K);   8 elements of `a`, 16 bytes of shared memory

A pointer is known by the tensor that it points into, which the text says, and the element of it. Where in shared memory an
access is does not matter for counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from uol.backends.simt.machine.fragments import UNITS
from uol.backends.simt.machine.matrix_primitives import MEMORY
from uol.backends.simt.reading.calls import bytes_of, times
from uol.backends.simt.reading.expressions import Expressions
from uol.backends.simt.reading.kernel_facts import KEPT_KERNELS
from uol.backends.simt.reading.lanes import Active, Value, chosen, computed
from uol.backends.simt.reading.syntax import Element, KernelText, Name, Node, Operation, Simple
from uol.backends.simt.reading.units import simple_statements
from uol.ir.integers.intervals import EVERYTHING

ROW_BYTES = 16
"""Of a row of a matrix, which a lane gives."""
TRANSPOSE_4X4 = 8
"""Permutations of bytes (`uol_matrix.h` of gfx90a)."""
MADE = {"widen_f16": {"integer": 1}, "widen_bf16": {"integer": 1}, "tf32_parts": {"integer": 2, "f32-vector": 2}}
"""Operations for each element of a fragment (`uol_matrix_words.h`)."""
OF_A_SUM = 3
"""Floating-point operations that add a sum of both parts (`add_tf32_products`)."""
START = np.zeros((1, 1), np.int64)
WITHOUT_MEMORY = ("commit_copies", "wait_copies", "dynamic_shared", "transpose_4x4_words", "loads_before")


@lru_cache(maxsize=KEPT_KERNELS)
def bases_in(kernel: KernelText) -> Mapping[str, str]:
    """The tensor, or the shared memory, that each pointer and each range of a kernel lies in: what it is made of says it."""
    found = {p.name: p.name for p in kernel.tensors}
    declared = {s.target.name: s.dtype for s in simple_statements(kernel.body) if s.dtype and isinstance(s.target, Name)}
    addresses = {name for name, dtype in declared.items() if dtype.endswith(("*", "BufferRange"))}
    for step in simple_statements(kernel.body):
        if step.target is None or step.value is None:
            continue
        name = step.target.name if isinstance(step.target, Name) else step.target.array
        if isinstance(step.value, Operation) and step.value.fn == "dynamic_shared":
            found[name] = name
        elif name in addresses and name not in found and (root := _root(step.value, found)) is not None:
            found[name] = root
    return found


def _root(node: Node, bases: Mapping[str, str]) -> str | None:
    """What an address is in: its leftmost part."""
    match node:
        case Name(name=name) | Element(array=name):
            return bases.get(name)
        case Operation(fn="?:", args=(_, yes, _)):
            return _root(yes, bases)
        case Operation(args=(first, *_)):
            return _root(first, bases)
    return None


@dataclass(slots=True)
class Addresses(Expressions):
    """Expressions with what goes through pointers."""

    bases: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        Expressions.__post_init__(self)
        self.bases = bases_in(self.kernel)

    @property
    def is_on_matrix_units(self) -> bool:
        """Does the text point anywhere? Then it says by integers of arrays where."""
        return len(self.bases) > len(self.tensors)

    def is_kept(self, array: str) -> bool:
        """Are elements of an array of a thread followed: truth values; places, where there are pointers?"""
        if array in self.memory:
            return False
        dtype = self.types.get(array, "")
        return dtype == "bool" or (self.is_on_matrix_units and (dtype in ("int", "long long") or dtype.endswith("**")))

    def assigned(self, step: Simple, active: Active) -> Value:
        """The value that a statement gives its target."""
        name = step.target.name if isinstance(step.target, Name) else step.target.array if step.target is not None else ""
        if step.value is None:
            return EVERYTHING
        if step.update == "=" and name in self.bases and name not in self.memory:
            if isinstance(step.value, Operation) and step.value.fn == "buffer_range":
                self.values[f"bytes of {name}"] = self.value(step.value.args[1], active)
            return self.address(step.value, active)[1]
        return self.value(step.value, active)

    def address(self, node: Node, active: Active) -> tuple[str, Value]:
        """What an address is in, and the element of it; of a range, the byte."""
        match node:
            case Name(name=name) if name in self.memory:
                return name, START
            case Name(name=name):
                return self.bases.get(name, ""), self.named(name)
            case Element(array=array, index=index):
                flag = self.flags.at(array, self.index(index, active))
                return self.bases.get(array, ""), EVERYTHING if flag is None else flag
            case Operation(fn="+" | "-" as fn, args=(left, right)):
                base, place = self.address(left, active)
                return base, computed(fn, (place, self.value(right, active))) if base in self.tensors else START
            case Operation(fn="?:", args=(condition, yes, no)):
                (base, then), (_, otherwise) = self.address(yes, active), self.address(no, active)
                return base, chosen(self.value(condition, active), then, otherwise)
            case Operation(fn="buffer_range", args=(from_, _)):
                base, place = self.address(from_, active)
                return base, computed("*", (place, np.array([[bytes_of(self.types[base])]], np.int64)))
            case Operation(args=(inner, *_)):
                return self.address(inner, active)
        return "", EVERYTHING

    def called(self, node: Operation, active: Active) -> Value:
        if node.fn in MEMORY:
            self.moved(node, active)
            return EVERYTHING
        if node.fn in WITHOUT_MEMORY:
            return EVERYTHING
        if node.fn in UNITS:
            unit = UNITS[node.fn]
            for reader in self.readers:
                reader.counts.add("operation", unit.rate, times(unit.operations, active.warps(reader.width)))
                if unit.is_by_parts:
                    added = OF_A_SUM * unit.d.elements * reader.width
                    reader.counts.add("operation", "f32-vector", times(added, active.warps(reader.width)))
            return EVERYTHING
        if node.fn in MADE:
            for reader in self.readers:
                for by, number in MADE[node.fn].items():
                    made = number * int(node.parameters[0]) * reader.width
                    reader.counts.add("operation", by, times(made, active.warps(reader.width)))
            return EVERYTHING
        if node.fn == "transpose_4x4":
            for reader in self.readers:
                reader.counts.add("operation", "integer", times(TRANSPOSE_4X4 * reader.width, active.warps(reader.width)))
            return EVERYTHING
        return Expressions.called(self, node, active)

    def moved(self, node: Operation, active: Active) -> None:
        """Counts what a primitive moves to or from memory."""
        size = int(node.parameters[0]) if node.parameters else ROW_BYTES
        usual = {"copy_async": 2, "load_words": 2, "store_words": 2, "load_buffer": 4}.get(node.fn, 2)
        valid = active if len(node.args) == usual else active.where(self.value(node.args[usual], active))
        match node.fn:
            case "load_matrices" | "load_matrices_transposed":
                self.add("scratch", "load", times(size, active.lanes))
            case "copy_async":
                self.add("scratch", "store", times(size, active.lanes))
                self.through(node.args[1], "load", size, valid)
            case "load_words":
                self.through(node.args[1], "load", size, valid)
            case "store_words":
                self.through(node.args[0], "store", size, valid)
            case "load_buffer":
                self.ranged(node, size, valid)

    def through(self, address: Node, what: str, size: int, active: Active) -> None:
        """An access of so many bytes at an address."""
        base, place = self.address(address, active)
        if base in self.tensors:
            self.access(what, base, place, active, max(1, size // bytes_of(self.types[base])))
        else:
            self.add("scratch", what, times(size, active.lanes))

    def ranged(self, node: Operation, size: int, active: Active) -> None:
        """A load of so many bytes of a range: what lies beyond it by its lane alone is not read."""
        (base, start), lane = self.address(node.args[1], active), self.value(node.args[2], active)
        place = computed("+", (computed("+", (start, lane)), self.value(node.args[3], active)))
        if isinstance(node.args[1], Name):
            active = active.where(computed("<", (lane, self.named(f"bytes of {node.args[1].name}"))))
        active, element = active.where(computed(">=", (lane, START))), bytes_of(self.types[base])
        self.access("load", base, computed("/", (place, np.array([[element]], np.int64))), active, max(1, size // element))

    def loaded(self, array: str, place: Value, active: Active) -> Value:
        """An element of what a pointer points to."""
        if array in self.memory or array not in self.bases or self.types[array].endswith("**"):
            return Expressions.loaded(self, array, place, active)
        self.element("load", array, place, active)
        return EVERYTHING

    def element(self, what: str, pointer: str, place: Value, active: Active) -> None:
        base = self.bases[pointer]
        if base in self.tensors:
            self.access(what, base, computed("+", (self.named(pointer), place)), active)
        else:
            self.add("scratch", what, times(bytes_of(self.types[pointer]), active.lanes))

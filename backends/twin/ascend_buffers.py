"""The double buffers of emitted Ascend C: tensors that are indexed by `slot * n`.

TBuf<TPosition::VECCALC> ub;                                    UB
LocalTensor<half> x_ub = ub.GetWithOffset<half>(640, 0);        640 elements from byte 0 on
DataCopyPad(x_ub[slot * 320], ...);                             two slots of 320 elements
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from uol.backends.twin.reuse import DoubleBuffer

MEMORIES = {
    **dict.fromkeys(("VECIN", "VECOUT", "VECCALC"), "UB"),
    **dict.fromkeys(("A1", "B1", "C1"), "L1"),
    **{"A2": "L0A", "B2": "L0B", "CO1": "L0C", "C2": "BT"},
}
BYTES = {
    **dict.fromkeys(("int8_t", "uint8_t"), 1),
    **dict.fromkeys(("half", "bfloat16_t", "int16_t", "uint16_t"), 2),
    **dict.fromkeys(("float", "int32_t", "uint32_t"), 4),
    **dict.fromkeys(("int64_t", "uint64_t"), 8),
}
BLOCK = 32

KERNEL = re.compile(r"__aicore__ void (\w+)\(")
BUFFER = re.compile(r"TBuf<TPosition::(\w+)> ([\w, ]+);")
SIZE = re.compile(r"\.InitBuffer\((\w+), (\d+)\)")
TENSOR = re.compile(r"LocalTensor<(\w+)> (\w+) = (\w+)\.GetWithOffset<\w+>\(\d+, (\d+)\)")
SLOT = re.compile(r"\b(\w+)\[slot \* (\d+)")


def double_buffers(text: str) -> tuple[DoubleBuffer, ...]:
    """The double buffers of all kernels of a text, in order."""
    starts = [m.start() for m in KERNEL.finditer(text)]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return tuple(buffer for piece in pieces for buffer in _of_kernel(piece))


def _of_kernel(text: str) -> Iterator[DoubleBuffer]:
    kernel = KERNEL.search(text)
    assert kernel is not None
    bases = _bases(text)
    tensors = {m[2]: m for m in TENSOR.finditer(text)}
    slots = {m[1]: int(m[2]) for m in SLOT.finditer(text)}
    for name, elements in slots.items():
        tensor = tensors.get(name)
        if tensor is not None and tensor[3] in bases and tensor[1] in BYTES:
            memory, base = bases[tensor[3]]
            yield DoubleBuffer(kernel[1], name, memory, base + int(tensor[4]), elements * BYTES[tensor[1]])


def _bases(text: str) -> dict[str, tuple[str, int]]:
    """Memory and first byte of each TBuf: a memory's follow each other in the order of their InitBuffer."""
    memories = {name.strip(): MEMORIES[m[1]] for m in BUFFER.finditer(text) for name in m[2].split(",")}
    used: dict[str, int] = {}
    bases: dict[str, tuple[str, int]] = {}
    for match in SIZE.finditer(text):
        memory = memories.get(match[1])
        if memory is None:
            continue
        bases[match[1]] = (memory, used.get(memory, 0))
        used[memory] = used.get(memory, 0) + -(-int(match[2]) // BLOCK) * BLOCK
    return bases

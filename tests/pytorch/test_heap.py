"""What a process has freed between blocks that are in use goes back to the system, once a module is frozen (glibc)."""

from __future__ import annotations

import torch
from torch import nn

import uol
from uol.conformance.bench.peak_memory import resident_bytes

MIB = 1 << 20


def test_freezing_gives_back_what_lies_free_between_blocks() -> None:
    uol.freeze(nn.Linear(4, 4))  # what it loads is loaded
    blocks = [torch.ones(25_000) for _ in range(640)]  # 0.1 MB each, of the heap
    kept = blocks[::2]  # between two holes each
    del blocks
    before = resident_bytes("VmRSS")
    frozen = uol.freeze(nn.Linear(4, 4))
    assert before - resident_bytes("VmRSS") > 24 * MIB
    assert all(bool((block == 1).all()) for block in kept)
    assert frozen(torch.zeros(2, 4)).shape == (2, 4)

"""What a process has freed between blocks that are in use goes back to the system, once a module is frozen (glibc)."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch
from torch import nn

import uol

STATUS = Path("/proc/self/status")
MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not STATUS.is_file() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library gives nothing back when told"
)


def resident_bytes() -> int:
    return 1024 * next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmRSS:"))


def test_freezing_gives_back_what_lies_free_between_blocks() -> None:
    uol.freeze(nn.Linear(4, 4))  # what it loads is loaded
    blocks = [torch.ones(25_000) for _ in range(640)]  # 0.1 MB each, of the heap
    kept = blocks[::2]  # between two holes each
    del blocks
    before = resident_bytes()
    frozen = uol.freeze(nn.Linear(4, 4))
    assert before - resident_bytes() > 24 * MIB
    assert all(bool((block == 1).all()) for block in kept)
    assert frozen(torch.zeros(2, 4)).shape == (2, 4)

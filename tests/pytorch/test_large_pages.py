"""Large results ask for large pages: what Linux knows of their memory (`/proc/self/smaps`, the flag `hg`)."""

from __future__ import annotations

import ctypes
import mmap
import re
from pathlib import Path

import pytest
import torch

import uol

SMAPS = Path("/proc/self/smaps")
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .*?^VmFlags: (.*?)$", re.MULTILINE | re.DOTALL)


def _flags(address: int) -> list[str]:
    """Of the mapping that holds the address."""
    for start, end, flags in MAPPING.findall(SMAPS.read_text()):
        if int(start, 16) <= address < int(end, 16):
            return str(flags).split()
    raise AssertionError(f"nothing is mapped at {address:#x}")


pytestmark = pytest.mark.skipif(
    not SMAPS.exists() or "VmFlags" not in SMAPS.read_text(), reason="the system does not tell what it was asked for"
)


@pytest.mark.parametrize("mebibytes", [4, 40])  # of the heap of glibc, or not; and a mapping of its own
def test_a_large_result_is_in_large_pages(mebibytes: int) -> None:
    x = torch.linspace(-1, 1, mebibytes << 18)
    y = uol.ops.relu(x)
    assert torch.equal(y, torch.relu(x))
    assert "hg" in _flags(y.data_ptr() + y.nbytes // 2)


def test_the_flag_is_not_everywhere() -> None:
    """Memory for which nobody asked has no such flag. A tensor of PyTorch's own would not show it: the allocator of C
    gives memory anew that a large result had asked for before."""
    with mmap.mmap(-1, 40 << 20) as fresh:
        address = ctypes.addressof(ctypes.c_char.from_buffer(fresh))
        assert "hg" not in _flags(address + (20 << 20))


def test_results_of_a_gradient_ask_too() -> None:
    """Whatever makes results makes them in one place."""
    x = torch.randn(40 << 18, requires_grad=True)
    (dx,) = torch.autograd.grad(uol.ops.relu(x).sum(), x)
    assert "hg" in _flags(dx.data_ptr() + dx.nbytes // 2)

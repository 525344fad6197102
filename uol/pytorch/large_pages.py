"""Large results in large pages.

A result of 16 MiB in memory that is new to the process takes 4096 page faults of 4 KiB, of some 0.2 us each, several on a
virtual machine: as long as many a kernel computes, or longer. And much memory is new: glibc gives it back to the system as
soon as some 32 MiB are free. Where Linux gives pages of 2 MiB to who asks for them (transparent huge pages), it is asked, as
numpy asks for its arrays from 4 MiB on (`NUMPY_MADVISE_HUGEPAGE`). What is asked for in vain changes nothing.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable

import torch

LARGE_BYTES = 1 << 22
"""Results from which it is worth the call, 1 us: one page of 2 MiB at least lies within."""


def _madvise() -> Callable[[int, int, int], int] | None:
    """The C library's function; None where the system has no such advice."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    function.restype = ctypes.c_int
    found: Callable[[int, int, int], int] = function
    return found


_ADVISE = _madvise()


def is_large(count: int, dtype: torch.dtype) -> bool:
    """May that many elements of a result on the CPU lie in large pages?"""
    return _ADVISE is not None and count * dtype.itemsize >= LARGE_BYTES


def ask_for_large_pages(result: torch.Tensor) -> None:
    """The whole pages of a dense tensor that nothing was written to yet. Pages that are there already stay as they are."""
    assert _ADVISE is not None
    start = -(-result.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = result.data_ptr() + result.numel() * result.element_size()
    _ADVISE(start, end // mmap.PAGESIZE * mmap.PAGESIZE - start, mmap.MADV_HUGEPAGE)

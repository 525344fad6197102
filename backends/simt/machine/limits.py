"""What holds of every machine with threads: how it moves bytes, and what a block is."""

from __future__ import annotations

SECTOR_BYTES = 32
"""What an access of global memory moves at least: CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory". Accesses
of other machines are counted in the same unit."""
WHOLE_BYTES = 16
"""The largest access of a thread (CUDA C++ Programming Guide, "Device Memory Accesses"; CDNA2 ISA, global_load_dwordx4)."""
THREADS = 256
"""A block that fills every SIMT machine: several fit a core at any register use below 64 a thread."""
TOGETHER = 4
"""Turns that nvcc writes out of a loop whose length it does not know, the loads of all in front: a test counts them in SASS."""

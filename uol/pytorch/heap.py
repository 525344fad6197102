"""Memory that this process has freed, and the C library keeps.

What is freed between blocks that are in use stays with the process: glibc gives back by itself only what lies at the end of its
heap. Loading a model and converting its weights leaves such holes, as large as the largest weight, and nothing that an
inference allocates need fit into them.
"""

from __future__ import annotations

import ctypes


def give_back_free_memory() -> None:
    """Gives whole free pages back to the system, where the C library has the call (malloc_trim(3), glibc). It takes some
    0.1 ms for each MiB; what is allocated there next meets new pages."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

"""What the 910B's kernel language offers, whatever the product. Buffers between kernels lie at multiples of 512 bytes: at
others Fixpipe took twice the time in a tuning case that the vendor has published."""

from __future__ import annotations

from uol.backends.ascendc.machine import BYTES, CAPACITY_BYTES, REPEAT_BYTES
from uol.codegen.backend import Capability

CAPABILITY = Capability(
    lanes=REPEAT_BYTES // BYTES["f32"],  # of 32 bits, in one repeat
    scratch_bytes={str(memory): size for memory, size in CAPACITY_BYTES.items()},
    max_grid=(65535, 1, 1),
    max_threads=1,
    workspace_alignment=512,
    dtypes=frozenset({"f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i64", "i32", "i16", "i8", "u8", "bool"}),
)

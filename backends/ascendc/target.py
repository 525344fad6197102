"""What the 910B's kernel language offers, whatever the product."""

from __future__ import annotations

from uol.backends.ascendc.machine import BLOCK_BYTES, BYTES, CAPACITY_BYTES, REPEAT_BYTES
from uol.codegen.backend import Capability

CAPABILITY = Capability(
    lanes=REPEAT_BYTES // BYTES["f32"],  # of 32 bits, in one repeat
    scratch_bytes={str(memory): size for memory, size in CAPACITY_BYTES.items()},
    alignment_bytes=BLOCK_BYTES,
    max_grid=(65535, 1, 1),
    max_threads=1,
    dtypes=frozenset({"f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i64", "i32", "i16", "i8", "u8", "bool"}),
    matrix_shapes=((16, 16, 16, "f16", "f32"), (16, 16, 16, "bf16", "f32"), (16, 16, 4, "f32", "f32")),
)

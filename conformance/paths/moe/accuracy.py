"""How near results and gradients of the layer are to float64, beside PyTorch's in the same type, on the same routing.

python -m uol.conformance.paths.moe.accuracy check
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from uol.conformance.accuracy.dual import Dual
from uol.conformance.paths.draw import pooled_errors
from uol.conformance.paths.moe.draw import LEVEL, LayerDraw
from uol.conformance.paths.moe.sizes import SIZES, Sizes

DTYPES = ("f32", "f16", "bf16")


def compare(sizes: Sizes, dtype: str, seeds: Sequence[int] = (0,), capacity: int | None = None) -> dict[str, Dual]:
    """By result and gradient: our error over the twin's, of all draws together."""
    return pooled_errors([LayerDraw(sizes, dtype, seed, capacity) for seed in seeds], dtype, LEVEL)


def main() -> int:
    """Prints the ratios at one of the sizes; 1 where one is beyond its limit."""
    found = [(dtype, name, dual) for dtype in DTYPES for name, dual in compare(SIZES[sys.argv[1]], dtype).items()]
    for dtype, name, dual in found:
        print(f"{dtype:5}{name:9}{'' if dual.ok else 'FAILED '}{dual.detail}", flush=True)
    return int(not all(dual.ok for _, _, dual in found))


if __name__ == "__main__":
    sys.exit(main())

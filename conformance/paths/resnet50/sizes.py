"""The sizes of a ResNet with bottlenecks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """width     channels of the stem; a block of stage n has width * 2**n within, four times that at its end
    blocks    blocks of each stage
    classes   what the scores are of
    batch, image   pictures of a batch, and the length of a picture's sides
    """

    width: int
    blocks: tuple[int, ...]
    classes: int
    batch: int
    image: int


SIZES = {
    "real": Sizes(64, (3, 4, 6, 3), 1000, 256, 224),
    "check": Sizes(64, (3, 4, 6, 3), 1000, 8, 224),
    "digits": Sizes(16, (3, 4, 6, 3), 10, 32, 32),
    "narrow": Sizes(4, (2, 1), 5, 3, 17),
}
"""`real` is ResNet-50 as it is trained, `check` the same on a batch that a CPU takes; `digits` is what learns small pictures in
minutes; `narrow` what a gradient is checked on number by number."""

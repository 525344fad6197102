"""The Ascend generator with its limits lowered: tiles of 64 lanes on one AI core, so that every kernel that can loop does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from uol.backends.ascendc.cube import product
from uol.backends.ascendc.devices import DEVICES
from uol.backends.ascendc.vector import tiling

LANES = 64


@contextmanager
def small_tiles() -> Iterator[None]:
    """At their sizes most operators give each of 48 cores one tile: no loop, one slot, no flag over a back-edge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "LARGEST_TILE", LANES)
        patch.setattr(tiling, "FEWEST_LANES", LANES)
        patch.setattr(product, "SIDES", (16,))
        patch.setattr(product, "ROW_BYTES", LANES)
        for name, device in DEVICES.items():
            patch.setitem(DEVICES, name, replace(device, cores=1))
        yield

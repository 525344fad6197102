"""Elements side by side that one mask decides on are read where it holds: what the twin counts of two masks."""

from __future__ import annotations

import numpy as np
import pytest

import uol
from uol.backends.twin import Job, execute_many, kind_of

BATCH, LENGTH, WIDTH = 24, 1536, 64


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_what_lies_behind_a_mask_is_not_read(target: str) -> None:
    compiled = uol.compile("masked_mean", target, "f32", {"B": BATCH, "L": LENGTH, "D": WIDTH})
    assert "load_vector<4>(x, " in compiled.source
    x = np.random.default_rng(0).standard_normal((BATCH, LENGTH, WIDTH), np.float32)
    every_third = np.arange(BATCH * LENGTH).reshape(BATCH, LENGTH) % 3 == 0
    masks = (every_third, np.ones_like(every_third))
    runs = execute_many([Job(compiled.module, {"x": x, "mask": m}, {}, counted=True, most_blocks=None) for m in masks])
    read = [kind_of(target).observed(run.counts)["read bytes"] for run in runs]
    assert read[1] - read[0] == x.nbytes - x.nbytes * every_third.sum() // every_third.size
    for mask, run in zip(masks, runs, strict=True):
        assert not run.findings
        wanted = (x * mask[..., None]).sum(1, np.float64) / mask.sum(1, keepdims=True)
        np.testing.assert_allclose(run.outputs["y"], wanted, rtol=0, atol=1e-6)

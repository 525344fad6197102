"""The dual benchmark: a result's error against a partner's error, both against one golden value.

Where a computation is long, bounds of rounding say little; what can be asked is that a result is about as near to the golden
value as an established implementation is. Ratios and levels are those of Huawei's accuracy standard for operators.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from uol.conformance.accuracy.contracts import unit_roundoff
from uol.conformance.accuracy.interval import Floats
from uol.ir.errors import UolError

NAMES = ("max", "mean", "rms")


@dataclass(frozen=True, slots=True)
class Dual:
    """The three ratios, and whether each is within its limit."""

    ok: bool
    max_ratio: float
    mean_ratio: float
    rms_ratio: float
    detail: str


def dual_benchmark(actual: Floats, partner: Floats, golden: Floats, dtype: str, level: str) -> Dual:
    """max, mean and RMS of the relative error of `actual` over those of `partner`, against the limits of `level`.

    A partner's figure counts as half an ulp at least. Relative errors have a floor under small golden values. Anything that
    is not finite, or of another shape, fails.
    """
    limits = _table()["levels"].get(level)
    if limits is None:
        raise UolError(f"unknown level {level!r}", hint=f"the levels are {', '.join(_table()['levels'])}")
    if not actual.shape == partner.shape == golden.shape or golden.size == 0:
        return Dual(False, np.inf, np.inf, np.inf, f"shapes {actual.shape}, {partner.shape}, {golden.shape}")
    if not all(np.isfinite(a).all() for a in (actual, partner, golden)):
        return Dual(False, np.inf, np.inf, np.inf, "values that are not finite")
    small = float(_table()["dual"]["small_value"][dtype])
    ours, theirs = (_figures(a, golden, small) for a in (actual, partner))
    ratios = [a / max(b, unit_roundoff(dtype)) for a, b in zip(ours, theirs, strict=True)]
    bounds = [float(limits[name]) for name in NAMES]
    ok = all(ratio <= bound for ratio, bound in zip(ratios, bounds, strict=True))
    shown = ", ".join(
        f"{name} {ratio:.2f} (limit {bound:g}; error {error:.2e})"
        for name, ratio, bound, error in zip(("max", "mean", "RMS"), ratios, bounds, ours, strict=True)
    )
    return Dual(ok, ratios[0], ratios[1], ratios[2], f"{level}: {shown}")


def typical(draws: Sequence[Dual], level: str, loose: float = 1.0) -> Dual:
    """The median of each ratio over several draws of one computation, against the limits of `level` (`loose` times these); one
    that is not finite fails them all.

    In one draw, max and RMS are ruled by the few golden values nearest to 0, whose errors on either side are chance.
    """
    limits = {name: loose * limit for name, limit in _table()["levels"][level].items()}
    every = [(d.max_ratio, d.mean_ratio, d.rms_ratio) for d in draws]
    largest, mean, rms = (float(np.median(each)) for each in zip(*every, strict=True))
    ratios = (largest, mean, rms)
    ok = bool(np.isfinite(every).all()) and all(r <= limits[name] for r, name in zip(ratios, NAMES, strict=True))
    passed = sum(d.ok for d in draws)
    shown = ", ".join(f"{name} {ratio:.2f} (limit {limits[name]:g})" for name, ratio in zip(NAMES, ratios, strict=True))
    return Dual(ok, largest, mean, rms, f"{level}, medians of {len(draws)} draws, of which {passed} passed: {shown}")


def limit_of(level: str, figure: str) -> float:
    """The limit of one of the three ratios: "max", "mean" or "rms"."""
    return float(_table()["levels"][level][figure])


def has_small_value(dtype: str) -> bool:
    """Is the type one whose errors the benchmark compares?"""
    return dtype in _table()["dual"]["small_value"]


def _figures(values: Floats, golden: Floats, small: float) -> tuple[float, float, float]:
    relative = np.abs(values - golden) / np.maximum(np.abs(golden), small)
    return float(relative.max()), float(relative.mean()), float(np.sqrt(np.mean(relative**2)))


@cache
def _table() -> dict[str, dict[str, dict[str, float]]]:
    return tomllib.loads(files("uol.conformance").joinpath("contracts.toml").read_text(encoding="utf-8"))

"""Values of few numbers are judged together, and none of them may be far off by itself."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from uol.conformance.paths.draw import LOOSE, Values, typical_errors
from uol.conformance.paths.resnet50.draw import alike
from uol.conformance.paths.resnet50.sizes import SIZES
from uol.conformance.paths.resnet50.twin import TorchResNet

EXACT = {"a": torch.ones(8), "b": torch.ones(8), "c": torch.ones(8)}


@dataclass(frozen=True, slots=True)
class Off:
    """A draw whose values are off by so many times what PyTorch's are, by name."""

    ratios: dict[str, float]

    @property
    def parameters(self) -> Values:
        return EXACT

    def ours(self) -> Values:
        return {name: value + 0.01 * self.ratios[name] for name, value in EXACT.items()}

    def theirs(self) -> Values:
        return {name: value + 0.01 for name, value in EXACT.items()}

    def golden(self) -> Values:
        return EXACT


def judged(a: float, b: float, c: float) -> dict[str, bool]:
    found = typical_errors([Off({"a": a, "b": b, "c": c})], "f16", "L2", lambda name: "few" if name != "c" else name)
    return {name: dual.ok for name, dual in found.items()}


def test_values_that_are_alike_are_draws_of_one_another() -> None:
    assert judged(0.6, 1.6, 1.0) == {"few": True, "c": True}
    assert judged(1.1, 1.5, 1.0) == {"few": False, "c": True}
    assert judged(1.0, 1.0, 1.5) == {"few": True, "c": False}


def test_one_that_is_far_off_fails_its_group_and_is_named() -> None:
    far = 1.2 * LOOSE + 0.1
    found = typical_errors([Off({"a": 0.1, "b": far, "c": 0.1})], "f16", "L2", lambda name: "all")
    assert not found["all"].ok
    assert "; b alone: L2" in found["all"].detail
    assert "a alone" not in found["all"].detail


def test_the_norms_of_a_stage_are_alike() -> None:
    names = [name for name, _ in TorchResNet(SIZES["narrow"]).named_parameters()]
    norms = {name: alike(name) for name in names if alike(name) != name}
    assert all("bn" in name or "downsample.1" in name for name in norms)
    assert {name for name in names if "conv" in name or "fc" in name or "downsample.0" in name}.isdisjoint(norms)
    assert alike("bn1.weight") == alike("layer1.0.bn1.weight") == "layer1: norms' weight"
    assert alike("layer2.0.downsample.1.bias") == "layer2: norms' bias"
    assert len(set(norms.values())) == 4  # of two stages


@dataclass(frozen=True, slots=True)
class OneNumber:
    """A draw whose loss is off by so much on either side."""

    ours_off: float
    theirs_off: float

    @property
    def parameters(self) -> Values:
        return {}

    def ours(self) -> Values:
        return {"loss": torch.tensor(1.0 + self.ours_off)}

    def theirs(self) -> Values:
        return {"loss": torch.tensor(1.0 + self.theirs_off)}

    def golden(self) -> Values:
        return {"loss": torch.tensor(1.0)}


@pytest.mark.parametrize(
    ("errors", "ok"),
    [
        ([(0.03, 0.01), (-0.02, 0.01), (0.03, -0.01), (0.001, 0.08)], True),  # further off in most draws, nearer as a whole
        ([(0.01, 0.02), (0.01, 0.02), (0.01, 0.02), (0.16, 0.02)], False),  # nearer in most draws, further off as a whole
        ([(0.015, 0.01), (-0.015, 0.01)], False),
        ([(0.01, 0.01), (float("nan"), 0.01), (0.01, 0.01)], False),
    ],
)
def test_the_draws_of_one_number_are_numbers_of_one_value(errors: list[tuple[float, float]], ok: bool) -> None:
    found = typical_errors([OneNumber(ours, theirs) for ours, theirs in errors], "f16", "L2")
    assert found["loss"].ok is ok

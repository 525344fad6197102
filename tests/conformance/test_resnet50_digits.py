"""The digits that ResNet-50 learns, and the recipe by which it does."""

from __future__ import annotations

import builtins
import copy
from typing import Any

import numpy as np
import pytest
import torch

from uol.conformance.paths.resnet50 import data, task
from uol.conformance.paths.resnet50.sizes import SIZES
from uol.conformance.paths.training.recipe import Recipe, of_optimiser
from uol.conformance.paths.training.training import Training
from uol.ir.errors import ToolchainError

NARROW = SIZES["narrow"]


def test_the_digits_are_split_once_and_batches_follow_from_seed_and_step() -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    images, labels = data.pictures()
    assert images.shape == (1797, 3, 32, 32) and images.dtype == torch.float32
    assert abs(float(images.mean())) < 1e-4 and abs(float(images.std()) - 1) < 1e-3
    kept, _ = data.tested()
    assert len(kept) == 360 and torch.bincount(labels[:360], minlength=10).min() > 20
    epoch = [data.training(3, step, 32) for step in range(44)]
    seen = torch.cat([x for x, _ in epoch]).flatten(1)
    assert len(torch.unique(seen, dim=0)) > 1400  # no picture twice, but those that are alike
    assert not (torch.cdist(kept.flatten(1)[:20], seen) < 1e-3).any()
    again, other, later = data.training(3, 7, 32), data.training(4, 7, 32), data.training(3, 51, 32)
    assert torch.equal(again[0], epoch[7][0]) and torch.equal(again[1], epoch[7][1])
    assert not torch.equal(other[0], epoch[7][0]) and not torch.equal(later[0], epoch[7][0])


def test_a_batch_has_moved_pictures_with_their_labels() -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    images, labels = (x[data.TESTED :] for x in data.pictures())
    edge, least = data.FARTHEST, 2 * data.FARTHEST
    moves = set()
    for image, label in zip(*data.training(3, 7, 16), strict=True):
        inside, alike = image[0, least:-least, least:-least], images[labels == label, 0]
        windows = alike.unfold(1, len(inside), 1).unfold(2, len(inside), 1)[:, edge:-edge, edge:-edge]
        found = (windows == inside).flatten(3).all(3).any(0).nonzero().tolist()
        assert found
        moves |= set(map(tuple, found))
    assert len(moves) > 5


def test_a_picture_is_moved_by_whole_pixels() -> None:
    images = torch.arange(2 * 3 * 32 * 32.0).reshape(2, 3, 32, 32)
    there = data.moved(images, np.array([[0, 0], [2, -1]]))
    assert torch.equal(there[0], images[0])
    assert torch.equal(there[1, :, 2:, :-1], images[1, :, :-2, 1:])  # two down, one to the left
    assert (there[1, :, :2] == images.min()).all() and (there[1, :, :, -1] == images.min()).all()


def test_a_picture_is_made_larger_linearly() -> None:
    small = np.random.default_rng(0).random((2, 8, 8))
    want = torch.nn.functional.interpolate(torch.from_numpy(small)[None], (32, 32), mode="bilinear")[0]
    np.testing.assert_allclose(data.upsampled(small), want, rtol=1e-12)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return plain(name, *rest)

    data.pictures.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolchainError, match="digits are scikit-learn's") as caught:
        data.pictures()
    assert "uol[paths]" in str(caught.value)


def test_both_sides_begin_with_the_same_parameters() -> None:
    ours, theirs = (task.build(5, side, NARROW).state_dict() for side in ("uol", "pytorch"))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(task.build(6, "uol", NARROW).state_dict()["conv1.weight"], ours["conv1.weight"])


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(NARROW.batch, 3, NARROW.image, NARROW.image, generator=generator)
    return images, torch.randint(NARROW.classes, (NARROW.batch,), generator=generator)


def made(recipe: Recipe) -> Training:
    return Training(task.TASK, task.build(0, "uol", NARROW), "uol", recipe)


RECIPES = [of_optimiser("sgd", dtype="f16", accumulate=2, restart=2), of_optimiser("adamw", restart=1)]


@pytest.mark.parametrize("recipe", [RECIPES[0], pytest.param(RECIPES[1], marks=pytest.mark.soak)], ids=["sgd f16", "adamw f32"])
def test_a_training_that_was_stopped_goes_on_to_the_same_numbers(recipe: Recipe) -> None:
    whole, first, second = made(recipe), made(recipe), made(recipe)
    losses = [whole.step(batch(step)) for step in range(7)]
    stopped = [first.step(batch(step)) for step in range(3)]  # between two steps of the optimiser
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert stopped + [second.step(batch(step)) for step in range(3, 7)] == losses
    ours, theirs = whole.module.state_dict(), second.module.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all(p.dtype is torch.float32 for p in whole.module.parameters())


def test_the_optimiser_steps_when_enough_gradients_are_added_up() -> None:
    training = made(of_optimiser("sgd", dtype="f16", restart=1))  # of whose kernels the tests around it have use, too
    weight = training.module.fc.weight
    start = weight.detach().clone()
    for step in range(3):
        training.step(batch(step))
        assert torch.equal(weight, start) and weight.grad is not None
    training.step(batch(3))
    assert not torch.equal(weight, start) and weight.grad is None


def test_a_loss_that_overflows_halves_the_scale_and_changes_nothing() -> None:
    training = made(of_optimiser("sgd", dtype="f16", accumulate=1))
    before = copy.deepcopy(training.module.state_dict())
    images, labels = batch(0)
    training.step((images * float("inf"), labels))
    assert training.scaler.get_scale() == 2.0**15
    assert all(torch.equal(p, before[name]) for name, p in training.module.named_parameters())

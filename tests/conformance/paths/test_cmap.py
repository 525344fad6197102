"""Cross-modal attention pooling beside its twin in plain PyTorch, and the clips and captions that it is trained on."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from uol.conformance.paths.cmap import data, module, twin
from uol.conformance.paths.cmap.draw import LEVEL, draw, draw_sizes
from uol.conformance.paths.cmap.sizes import NARROW, TRAINED
from uol.conformance.paths.cmap.task import TASK
from uol.conformance.paths.draw import typical_errors
from uol.conformance.paths.recorded import recorded
from uol.ir.errors import ShapeError, ToolchainError
from uol.ops import text as ops


@pytest.mark.soak
def test_the_gradients_are_those_of_the_function() -> None:
    drawn = draw("narrow", "f64", 0)
    video, text, there = drawn.inputs
    names, parameters = zip(*drawn.module.named_parameters(), strict=True)

    def function(video: torch.Tensor, text: torch.Tensor, *parameters: torch.Tensor) -> Any:
        return torch.func.functional_call(drawn.module, dict(zip(names, parameters, strict=True)), (video, text, there))

    inputs = (video.requires_grad_(), text.requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch": 1, "heads": 1, "frames": 1, "height": 1},
        pytest.param({"batch": 3, "heads": 4, "words": 2}, marks=pytest.mark.soak),
    ],
    ids=str,
)
def test_it_is_the_twin_in_float64(changes: dict[str, int]) -> None:
    drawn = draw_sizes(replace(NARROW, **changes), "f64", 1)
    found, expected = drawn.ours(), drawn.golden()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.soak
@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_it_is_as_near_to_float64_as_pytorch_is(dtype: str) -> None:
    for name, dual in typical_errors([draw("narrow", dtype, seed) for seed in range(31)], dtype, LEVEL).items():
        assert dual.ok, f"{name}: {dual.detail}"


def test_a_parameter_that_is_off_shows() -> None:
    drawn = draw("narrow", "f64", 1)
    with torch.no_grad():
        drawn.module.get_parameter("project.weight")[0, 0] += 1e-3
    found, expected = drawn.ours(), drawn.golden()
    assert any((found[name] - value).abs().max() > 1e-9 for name, value in expected.items())


def test_every_computation_is_an_operator_of_uol() -> None:
    drawn = draw("narrow", "f32", 0)
    run = recorded(lambda: drawn.ours())
    assert {call.op for call in run.calls} > {"conv3d", "masked_attention_saving", "attention_pool_saving"}
    assert not run.foreign


def test_a_step_gives_the_same_bits_twice() -> None:
    drawn = draw("narrow", "f32", 2)
    first, second = (drawn.ours() for _ in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_words_that_are_not_there_are_not_attended() -> None:
    drawn = draw("narrow", "f32", 3)
    video, text, there = drawn.inputs
    assert not there[-1].any() and there[0].any()
    text.requires_grad_()
    y = drawn.module(video, text, there)
    (dtext,) = torch.autograd.grad(y, text, drawn.cotangent)
    assert not dtext[~there].any() and dtext[there].any(-1).all()
    other = torch.where(there[..., None], text, torch.randn_like(text) * 100)
    assert torch.equal(drawn.module(video, other, there), y)


def test_a_text_without_words_adds_nothing() -> None:
    align = module.Alignment(NARROW)
    torch.nn.init.normal_(align.value.bias)
    tokens, text = torch.randn(2, 7, NARROW.model), torch.randn(2, NARROW.words, NARROW.text_width)
    there = torch.zeros(2, NARROW.words, dtype=torch.bool)
    torch.testing.assert_close(align(tokens, text, there), torch.nn.functional.layer_norm(tokens, tokens.shape[-1:]))


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="3 heads do not share 8 channels"):
        replace(NARROW, heads=3)
    with pytest.raises(ShapeError, match="4 groups do not share"):
        replace(NARROW, groups=4)
    drawn = draw("narrow", "f32", 0)
    video, text, there = drawn.inputs
    with pytest.raises(ShapeError, match=r"video \(1, 3, 4, 6, 7\)"):
        drawn.module(video[:1], text, there)


@pytest.fixture(autouse=True)
def _digits(request: pytest.FixtureRequest) -> None:
    if "clips" in request.node.name or "captions" in request.node.name or "trained" in request.node.name:
        pytest.importorskip("sklearn", reason="the digits are scikit-learn's")


def words_of(tokens: torch.Tensor, there: torch.Tensor) -> list[str]:
    return [data.WORDS[int(t) % len(data.WORDS)] for t in tokens[there]]


def test_clips_are_the_same_for_a_seed_and_a_step() -> None:
    first, again, other = (data.batch(5, step) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == TRAINED.video and 0 < first[0].max() <= 1


def test_captions_are_of_words_and_leave_the_last_one_to_be_found() -> None:
    _, tokens, there, last = data.batch(0, 0)
    lengths = there.sum(1)
    assert set(lengths.tolist()) == {3, 4}
    assert torch.equal(there, torch.arange(TRAINED.words) < lengths[:, None])
    assert set(last.tolist()) == set(range(len(data.DIRECTIONS)))
    for row, own in zip(tokens, there, strict=True):
        first, direction, *joint, second = words_of(row, own)
        assert {first, second} < set(data.DIGITS) and first != second
        assert direction in data.DIRECTIONS and joint in ([], ["and"])


def test_clips_move_as_they_say() -> None:
    image, zeros = np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32)
    for direction, to in data.DIRECTIONS.items():
        clip = data._clip(np.random.default_rng(0), (("one", direction), ("two", "up")), (image, zeros), TRAINED)
        assert all(np.array_equal(b, np.roll(a, to, (0, 1))) for a, b in zip(clip, clip[1:], strict=False))


def test_clips_for_validation_are_of_digits_that_training_does_not_show() -> None:
    images, _ = data._digits()
    seen: list[np.ndarray] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_batch", lambda draw, images, kinds, sizes: seen.append(images))
        data.batch(0, 0)
        data.validation_batch(0)
    assert [len(part) for part in seen] == [len(images) - data.HELD_OUT, data.HELD_OUT]
    assert not np.shares_memory(*seen)


def test_clips_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data._digits.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ToolchainError, match="scikit-learn") as caught:
        data.batch(0, 0)
    assert caught.value.hint == "install uol[paths]"


def test_both_sides_of_the_task_are_trained_from_one_loss() -> None:
    ours, theirs = TASK.build(0, "uol"), TASK.build(0, "pytorch")
    assert isinstance(ours, module.Answerer) and isinstance(theirs, twin.Answerer)
    with torch.no_grad():
        losses = [TASK.loss(network, TASK.batch(0, 0)).item() for network in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_answers_loss_has_the_gradients_of_the_twins() -> None:
    theirs, ours = (side.Answerer(NARROW, 7, 3).double() for side in (twin, module))
    ours.load_state_dict(theirs.state_dict())
    video, _, there = draw("narrow", "f64", 0).inputs
    tokens, answer = torch.randint(7, there.shape), torch.tensor([2, 0])
    for network in (ours, theirs):
        network.loss(video, tokens, there, answer).backward()
    for (name, found), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-9, atol=1e-12, msg=name)


def test_the_gradient_of_the_query_is_right_where_all_tokens_are_nearly_alike() -> None:
    """What the values have in common cancels in it: a result that was rounded may not decide."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4), torch.randn(1, 2, 5, 4), 8 + torch.randn(1, 2, 5, 4) / 4
    given = [x.half().requires_grad_() for x in (q, k, v)]
    exact = [x.detach().double().requires_grad_() for x in given]
    dy = torch.randn(1, 2, 4).half()
    (dq,) = torch.autograd.grad(ops.attention_pool(*given), given[:1], dy)
    scores = torch.einsum("hd,bhjd->bhj", *exact[:2]) / 2
    expected = torch.einsum("bhj,bhje->bhe", scores.softmax(-1), exact[2])
    (golden,) = torch.autograd.grad(expected, exact[:1], dy.double())
    torch.testing.assert_close(dq.double(), golden, rtol=2e-3, atol=2e-4)

"""`uol.replace` finds rotary embeddings, and SiLU, that are written out, and leaves what is almost one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from rotary_cases import CASES, COMPLEX, D, drawn, even_odd, results, rotate_half
from torch import Tensor, nn

import uol
from uol.pytorch.layers import rotary_patterns
from uol.pytorch.layers.patterns import pattern_of
from uol.pytorch.layers.rotary_patterns import rotary_of


class Calls(nn.Module):
    """A forward that calls a function by a name of its module's."""

    def forward(self, *given: Tensor) -> Any:
        return turn(*given)


def turn(*given: Tensor) -> Any:
    raise AssertionError("a test puts a function here")


def replaced(text: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, list[str], Any]:
    """A module that calls a text, and which operators are asked for."""
    called: list[str] = []

    class Seen:
        def __getattr__(self, name: str) -> Any:
            called.append(name)
            return getattr(uol.ops.text, name)

    monkeypatch.setattr(rotary_patterns, "texts", Seen())
    monkeypatch.setitem(Calls.forward.__globals__, "turn", text)
    own = type("Own", (Calls,), {"forward": Calls.forward})  # classes that were changed are kept
    module: nn.Module = own()
    done = uol.replace(module)
    return module, called, done


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name, case in CASES.items()
        for dtype in (torch.float32, torch.float64, torch.bfloat16)
        if not case.is_complex or dtype in COMPLEX
    ],
)
def test_it_is_the_library_s_with_its_gradient(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    module, called, done = replaced(case.text, monkeypatch)
    given = drawn(case, dtype)
    wanted = results(case.text(*given), given)
    assert done.functions == {"": ("turn",)} and "its forward calls turn of uol" in str(done)
    for x, y in zip(results(module(*given), given), wanted, strict=True):
        torch.testing.assert_close(x, y)
    left = dtype is torch.bfloat16 or (case.is_complex and dtype is torch.float64)  # whose steps round as they are written
    assert called == ([] if left else [case.operator])


def of_one_width(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    y = torch.empty_like(x)
    first, second = x.chunk(2, -1)
    y[..., : D // 2] = first * cos - second * sin
    y[..., D // 2 :] = second * cos + first * sin
    return y


def with_sign(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return x * cos - rotate_half(x) * sin


def detached(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    with torch.no_grad():
        turned = rotate_half(x) * sin
    return x * cos + turned


def writes(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    y = x * cos + rotate_half(x) * sin
    with torch.no_grad():
        x.copy_(y)
    return y


def by_value(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return x * cos + rotate_half(x) * sin if x.sum() > 0 else x


def in_part(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As models do of which a part of the width turns."""
    turned, rest = x[..., :4], x[..., 4:]
    return torch.cat((turned * cos[..., :4] + rotate_half(turned) * sin[..., :4], rest), -1)


def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


@pytest.mark.parametrize("text", [with_sign, detached, writes, by_value, in_part, swish, of_one_width])
def test_what_is_almost_one_is_left(text: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert rotary_of(text) is None
    if text is not swish:
        _, _, done = replaced(text, monkeypatch)
        assert done.left_functions == {"": ("turn",)} and "turn: no pattern" in str(done)


@pytest.mark.parametrize("name", ["of another rank", "of two types", "of another table"])
def test_a_call_of_another_form_is_the_text_s(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, called, _ = replaced(even_odd, monkeypatch)
    x, cos, sin = drawn(CASES["even and odd"])
    given = {
        "of another rank": (x[0], cos, sin),
        "of two types": (x.float(), cos, sin),
        "of another table": (x, cos[:1], sin[:1]),
    }[name]
    torch.testing.assert_close(module(*given), even_odd(*given))
    assert not called


class Written(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.sigmoid()


class WrittenAsQuotient(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + torch.exp(-x))


class Almost(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


@pytest.mark.parametrize("kind", [Written, WrittenAsQuotient])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silu_is_found_as_a_module_and_as_a_function(kind: type[nn.Module], dtype: torch.dtype) -> None:
    module, x = kind(), torch.randn(3, 4, dtype=dtype, requires_grad=True)
    wanted = results(kind()(x), [x])
    assert uol.replace(module).swapped == {"": "silu"}
    for found, expected in zip(results(module(x), [x]), wanted, strict=True):
        torch.testing.assert_close(found, expected)
    assert pattern_of(swish) is not None
    assert pattern_of(Almost()) is None

"""Names from the shapes of tensors: also those that stand in no dim alone, and beside packs."""

from __future__ import annotations

import pytest
import torch

import uol
from uol.binding.tensor_binding import bind_tensors
from uol.ir.syntax.parser import parse

pytestmark = pytest.mark.usefixtures("own_cache")

GLU = "op {name}(x: T[*S, 2*C]) -> (y: T[*S, C]) for T in (f32, f16) {{ y[*s, c] = x[*s, c + 0] * x[*s, c + C] }}"
TIED = "op tied(a: f32[N], b: f32[*S, N + 1, M]) -> (y: f32[N]) { y[n] = a[n] }"


def bind(text: str, **shapes: tuple[int, ...]) -> dict[str, int]:
    (op,) = parse(text)
    return bind_tensors(op, shapes, dict.fromkeys(shapes, "f32"), {}).flat_dims


@pytest.mark.parametrize("shape", [(3, 8), (8,), (2, 5, 8), (3, 0)])
def test_a_name_in_no_dim_alone_is_solved_for(shape: tuple[int, ...]) -> None:
    assert bind(GLU.format(name="glu"), x=shape)["C"] == shape[-1] // 2


def test_a_size_that_no_whole_number_gives_is_refused() -> None:
    with pytest.raises(uol.ShapeError) as raised:
        bind(GLU.format(name="glu"), x=(3, 7))
    assert raised.value.message == "glu: x has size 7 along 2 * C, for no whole C"
    assert raised.value.hint == "x[*S, 2 * C]"


def test_dims_beside_a_pack_are_compared() -> None:
    assert bind(TIED, a=(4,), b=(2, 3, 5, 7)) == {"N": 4, "M": 7, "S_0": 2, "S_1": 3}
    with pytest.raises(uol.ShapeError) as raised:
        bind(TIED, a=(4,), b=(2, 3, 4, 7))
    assert raised.value.message == "tied: b has size 4 along N + 1, which is 5"


def test_such_an_operator_runs_on_tensors_of_every_rank() -> None:
    glu = uol.op(GLU.format(name="halves_multiplied"))
    x = torch.randn(3, 8)
    assert torch.equal(glu(x), x[:, :4] * x[:, 4:])
    assert glu(torch.empty(2, 3, 8, device="meta")).shape == (2, 3, 4)

"""Types, ranks and dims of a call from the tensors that are passed."""

import pytest

from uol.ir import ShapeError, parse
from uol.ir.checker.argument_binding import bind_shapes

LINEAR = parse(
    "op linear(x: T[*S, K], w: T[N, K], b: f32[N]) -> (y: T[*S, N]) for T in (f32, f16) { y[*s, n] = x[*s, n] else 0 }"
)[0]
GLU = parse("op glu(x: T[*S, 2*C]) -> (y: T[*S, C]) for T in (f32, f16) { y[*s, c] = x[*s, c + 0] }")[0]


def test_names_are_bound() -> None:
    found = bind_shapes(LINEAR, [("f16", (2, 3, 5)), ("f16", (4, 5)), ("f32", (4,))])
    assert found.types == {"T": "f16"}
    assert found.ranks == {"S": 2}
    assert found.sizes == {"S_0": 2, "S_1": 3, "K": 5, "N": 4}
    assert found.equations == ()
    assert bind_shapes(LINEAR, [("f16", (5,)), ("f16", (4, 5)), ("f32", (4,))]).ranks == {"S": 0}


def test_a_dim_in_an_expression_is_solved_for() -> None:
    found = bind_shapes(GLU, [("f32", (3, 8))])
    assert found.sizes == {"S": 3, "C": 4}
    assert [(e.value, p) for _, e, p in found.equations] == [(8, "x")]
    assert "C" not in bind_shapes(GLU, [("f32", (3, 7))]).sizes


def test_what_does_not_fit_is_left_as_an_equation() -> None:
    found = bind_shapes(LINEAR, [("f16", (5,)), ("f16", (4, 6)), ("f32", (4,))])
    assert [(d.id, e.value, p) for d, e, p in found.equations] == [("K", 6, "w")]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([("f16", (5,))], "`linear` takes 3 tensors, not 1"),
        ([("f64", (5,)), ("f64", (4, 5)), ("f32", (4,))], "`linear` is not for f64"),
        ([("f16", (5,)), ("f32", (4, 5)), ("f32", (4,))], "`w` of `linear` is f16, the tensor is f32"),
        ([("f16", (5,)), ("f16", (4, 5)), ("f16", (4,))], "`b` of `linear` is f32, the tensor is f16"),
        ([("f16", ()), ("f16", (4, 5)), ("f32", (4,))], "`x` of `linear` has at least 1 dim, the tensor has 0"),
        ([("f16", (5,)), ("f16", (4, 5, 1)), ("f32", (4,))], "`w` of `linear` has 2 dims, the tensor has 3"),
    ],
)
def test_misfits(tensors: list[tuple[str, tuple[int, ...]]], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        bind_shapes(LINEAR, tensors)
    assert caught.value.message == message

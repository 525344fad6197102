"""What happens at the edges: negated views, versions of tensors, keys that are equal and differ, odd names, late gradients."""

from __future__ import annotations

import pytest
import torch

import uol
from uol.pytorch.arguments import MOST_KEPT, remember

ops = uol.ops.text


def negated() -> torch.Tensor:
    """A view whose elements lie in memory with the other sign."""
    x = torch.arange(1.0, 5.0).mul(1j).conj().imag
    assert x.is_neg()
    return x


def test_a_negated_view_is_read_as_it_is() -> None:
    x = negated()
    assert torch.equal(ops.add(x, torch.zeros(4)), torch.tensor([-1.0, -2, -3, -4]))
    assert torch.equal(ops.concat([x, x]), torch.cat([x, x]))
    y = torch.ones(4, requires_grad=True)
    (dy,) = torch.autograd.grad(ops.square(y), y, negated())
    assert torch.equal(dy, 2 * x)


def test_a_negated_view_is_written_as_it_is() -> None:
    out = negated()
    ops.relu(torch.tensor([-1.0, 2, 3, -4]), out=out)
    assert out.tolist() == [0, 2, 3, 0]
    for step in (ops.sgd_, lambda p, g, lr: uol.ops.foreach.sgd_([p], [g], lr=lr)):
        p = negated()
        with torch.no_grad():
            step(p, torch.ones(4), lr=1.0)
        assert p.tolist() == [-2, -3, -4, -5]


@pytest.mark.parametrize("gap", [1, 2])
def test_out_is_a_change_that_autograd_sees(gap: int) -> None:
    x, y = torch.ones(3, requires_grad=True), torch.ones(3 * gap)[::gap]
    z = (x * y).sum()
    ops.relu(torch.zeros(3), out=y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_negative_zero_is_a_value_of_its_own() -> None:
    x = torch.tensor([-1.0])
    signs = [bool(torch.signbit(ops.threshold(x, at_most=0.0, value=v))) for v in (0.0, -0.0, 0.0)]
    assert signs == [False, True, False]
    assert [bool(torch.signbit(torch.ops.uol.threshold(x, at_most=0.0, value=v))) for v in (0.0, -0.0)] == [False, True]


@pytest.mark.parametrize("value", [[1], torch.ones(2), {}])
def test_an_attribute_that_is_no_number(value: object) -> None:
    with pytest.raises(uol.UolError, match="negative_slope"):
        ops.leaky_relu(torch.ones(2), negative_slope=value)


def test_what_is_kept_is_bounded() -> None:
    kept: dict[object, int] = {}
    for n in range(3 * MOST_KEPT):
        remember(kept, n, n)
    assert len(kept) <= MOST_KEPT
    assert kept[3 * MOST_KEPT - 1] == 3 * MOST_KEPT - 1


def test_an_attribute_may_be_called_self() -> None:
    scaled = uol.op("op scaled_by_self(x: f64[N]; self: float = 2.0) -> (y: f64[N]) { y[n] = x[n] * self }")
    assert scaled(torch.ones(2, dtype=torch.float64), self=3.0).tolist() == [3, 3]


def test_a_name_that_pytorch_refuses_harms_no_other_operator() -> None:
    odd = uol.op("op odd_names(x: f64[N]; None: float = 2.0) -> (y: f64[N]) { y[n] = x[n] * None }")
    fine = uol.op("op after_odd_names(x: f64[N]) -> (y: f64[N]) { y[n] = x[n] + 1 }")
    x = torch.ones(2, dtype=torch.float64)
    assert fine(x).tolist() == [2, 2]
    with pytest.raises(uol.UolError, match="PyTorch takes no operator odd_names"):
        odd(x)


def test_a_gradient_that_comes_after_it_was_derived() -> None:
    square = uol.op("op late_square(x: f64[N]) -> (y: f64[N]) { y[n] = x[n] * x[n] }")
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    square(x).sum().backward()
    with pytest.raises(uol.UolError, match="comes too late"):
        uol.op("op late_square_grad(x: f64[N], dy: f64[N]) -> (dx: f64[N]) { dx[n] = 7 * dy[n] * x[n] }")
    uol.op("op own_square(x: f64[N]) -> (y: f64[N]) { y[n] = x[n] * x[n] }")
    uol.op("op own_square_grad(x: f64[N], dy: f64[N]) -> (dx: f64[N]) { dx[n] = 7 * dy[n] * x[n] }")
    (dx,) = torch.autograd.grad(ops.own_square(x).sum(), x)
    assert dx.tolist() == [7, 7]


def test_a_gradient_that_comes_after_a_saving_one_was_recorded() -> None:
    forward = "op kept_square(x: f64[N]) -> (y: f64[N]) { u[n] = x[n] + x[n]; y[n] = x[n] * u[n] / 2 }"
    uol.op(f"{forward} op kept_square_grad(u: f64[N], dy: f64[N]) -> (dx: f64[N]) {{ dx[n] = dy[n] * u[n] }}")
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    ops.kept_square(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2, 2]
    q = torch.ones(1, 1, 2, 3, requires_grad=True)
    ops.attention(q, q, q).sum().backward()
    with pytest.raises(uol.UolError, match="comes too late"):
        uol.op(
            "op attention_grad(q: T[B, H, L, D], k: T[B, G, M, D], v: T[B, G, M, E], dy: T[B, H, L, E])"
            " -> (dq: T[B, H, L, D], dk: T[B, G, M, D], dv: T[B, G, M, E]) for T in (f64, f32) {"
            " dq[b, h, i, d] = q[b, h, i, d] dk[b, g, j, d] = k[b, g, j, d] dv[b, g, j, e] = v[b, g, j, e] }"
        )


def test_a_gradient_with_results_that_do_not_fit() -> None:
    two = "op two_results_grad(x: f64[N], dy: f64[N]) -> (dx: f64[N], e: f64[N]) { dx[n] = x[n] * dy[n]; e[n] = x[n] }"
    uol.op(f"op two_results(x: f64[N]) -> (y: f64[N]) {{ y[n] = x[n] * x[n] }}\n{two}")
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(uol.UolError, match="has 2 results"):
        ops.two_results(x).sum().backward()


def test_a_gradient_that_reads_what_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(uol.UolError, match="`stray_grad` reads `z`, which `stray` does not have"):
        uol.op(
            "op stray(x: f64[N]) -> (y: f64[N]) { y[n] = x[n] * x[n] }\nop stray_grad(z: f64[N]) -> (q: f64[N]) { q[n] = z[n] }"
        )
    assert not hasattr(ops, "stray")  # a text with an error registers nothing


def test_batch_norm_of_one_value_says_what_pytorch_says() -> None:
    layers = torch.nn.Sequential(torch.nn.BatchNorm1d(4))
    uol.replace(layers)
    with pytest.raises(ValueError, match="more than 1 value"):
        layers(torch.randn(1, 4))


def test_what_foreach_takes() -> None:
    p, g = torch.ones(2), torch.ones(2)
    with torch.no_grad():
        uol.ops.foreach.sgd_((x for x in [p]), iter([g]), lr=torch.tensor(0.25))
        assert p.tolist() == [0.75, 0.75]
        for lr in ("x", None, torch.ones(2)):
            with pytest.raises(uol.UolError, match="lr is"):
                uol.ops.foreach.sgd_([p], [g], lr=lr)
        with pytest.raises(uol.UolError, match="not a list of tensors"):
            uol.ops.foreach.sgd_(p, g, lr=0.1)


@pytest.mark.parametrize(
    ("first", "second"), [((1, 16), (4, 16)), ((1,), (4,)), ((1, 3, 4), (5, 3, 4)), ((1, 1), (1, 9)), ((1, 0), (3, 0))]
)
def test_a_first_input_that_is_broadcast_does_not_say_how_large_the_result_is(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    x, y = torch.randn(first, requires_grad=True), torch.randn(second)
    found = uol.ops.add(x, y)
    torch.testing.assert_close(found, x + y)
    assert found.untyped_storage().nbytes() >= 4 * found.numel()
    torch.testing.assert_close(uol.ops.add(x.detach(), y), (x + y).detach())

"""Aliasing operators: `uol.ops.<name>_` overwrites, by the kernel where it may, and PyTorch sees it."""

from __future__ import annotations

import pytest
import torch

import uol
from uol.ir.checker.aliasing import check_aliases
from uol.operators.registry import find_operator
from uol.ops.aliasing import aliases_of
from uol.pytorch.in_place import InPlaceOperator, in_place_operator

F = torch.nn.functional


def seeded(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64).to(dtype)


def test_a_step_is_written_where_the_parameter_lies() -> None:
    in_place_operator("sgd").prepared.clear()
    p, g = seeded(33, 7), seeded(33, 7) + 1
    want = uol.ops.sgd(p, g, lr=0.1)
    where, version = p.data_ptr(), p._version
    assert uol.ops.sgd_(p, g, lr=0.1) is None
    assert torch.equal(p, want) and p.data_ptr() == where and p._version > version
    (prepared,) = in_place_operator("sgd").prepared.values()
    assert prepared.call is not None  # by the kernel, not by a copy


@pytest.mark.parametrize("count", [1, 7, 33, 1000, 70001])
def test_every_element_is_stepped_once(count: int) -> None:
    p, g, buf = seeded(count), seeded(count) + 1, seeded(count) - 1
    want = uol.ops.sgd_momentum(p, g, buf, lr=0.1, nesterov=1)
    uol.ops.sgd_momentum_(p, g, buf, lr=0.1, nesterov=1)
    assert torch.equal(p, want[0]) and torch.equal(buf, want[1])


ELEMENTWISE = ("relu", "gelu", "softplus", "exp", "round", "softmax", "layer_norm", "cumsum", "sort", "flip")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_the_text_admits_gives_the_same_in_place(name: str) -> None:
    """Of every kind of operator: those that are refused read other elements."""
    op = find_operator(name)
    try:
        check_aliases(op, {"x": op.results[0].name})
    except uol.TypeCheckError:
        assert name not in ("relu", "gelu", "softplus", "exp", "round")
        return
    assert name in ("relu", "gelu", "softplus", "exp", "round")
    x = seeded(5, 33)
    want = getattr(uol.ops.text, name)(x)
    InPlaceOperator(op, {"x": "y"}).compute(x)
    assert torch.equal(x, want)


def test_batch_norm_follows_the_batch() -> None:
    x, gamma, beta = seeded(4, 8, 5, 6), seeded(8), seeded(8) - 1
    mean, var = seeded(8), seeded(8).abs()
    want_mean, want_var = mean.clone(), var.clone()
    want = F.batch_norm(x, want_mean, want_var, gamma, beta, training=True)
    y = uol.ops.batch_norm_training_(x, gamma, beta, mean, var)
    torch.testing.assert_close(y, want)
    torch.testing.assert_close((mean, var), (want_mean, want_var))


def test_batch_norm_has_a_gradient() -> None:
    x, gamma, beta = (seeded(*s, dtype=torch.float64).requires_grad_() for s in ((4, 3, 5), (3,), (3,)))
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    weights = seeded(4, 3, 5, dtype=torch.float64)
    (uol.ops.batch_norm_training_(x, gamma, beta, mean, var) * weights).sum().backward()
    want = [t.grad for t in (x, gamma, beta)]
    for t in (x, gamma, beta):
        t.grad = None
    other_mean, other_var = torch.zeros_like(mean), torch.ones_like(var)
    (F.batch_norm(x, other_mean, other_var, gamma, beta, training=True) * weights).sum().backward()
    torch.testing.assert_close(want, [t.grad for t in (x, gamma, beta)])
    torch.testing.assert_close((mean, var), (other_mean, other_var))


AWKWARD = {
    "transposed": lambda: (seeded(5, 4).t(), seeded(4, 5)),
    "with gaps": lambda: (seeded(8, 10)[::2, ::2], seeded(4, 5)),
    "a gradient that is broadcast": lambda: (seeded(4, 5), seeded(1, 5)),
    "a gradient that is the parameter": lambda: (lambda p: (p, p))(seeded(4, 5)),
    "a gradient that overlaps it": lambda: (lambda m: (m[:20].view(4, 5), m[1:21].view(4, 5)))(seeded(21)),
    "empty": lambda: (seeded(0, 5), seeded(0, 5)),
    "of no dims": lambda: (seeded(), seeded()),
    "half": lambda: (seeded(4, 5, dtype=torch.float16), seeded(4, 5, dtype=torch.float16)),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_tensors(case: str) -> None:
    p, g = AWKWARD[case]()
    want = uol.ops.sgd(p, g, lr=0.5, weight_decay=0.25)
    uol.ops.sgd_(p, g, lr=0.5, weight_decay=0.25)
    assert torch.equal(p, want)


def test_pytorch_takes_it() -> None:
    x, vectors = seeded(4, 3, 5), [seeded(3) for _ in range(3)] + [seeded(3).abs()]
    torch.library.opcheck(in_place_operator("batch_norm_training") and torch.ops.uol.batch_norm_training_, (x, *vectors))
    torch.library.opcheck(in_place_operator("sgd") and torch.ops.uol.sgd_, (seeded(4), seeded(4)), {"lr": 0.5})


def test_under_torch_compile() -> None:
    def step(p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        uol.ops.sgd_(p, g, lr=0.5)
        return p + 1

    uol.ops.sgd_(seeded(2), seeded(2), lr=0.1)
    p, want = seeded(4, 5), seeded(4, 5)
    assert torch.equal(torch.compile(step, backend="aot_eager", fullgraph=True)(p, seeded(4, 5)), step(want, seeded(4, 5)))
    assert torch.equal(p, want)


def test_a_user_registers_aliases() -> None:
    text = "op decayed(x: T[*S]; rate: float) -> (y: T[*S], old: T[*S]) for T in (f64, f32) {\n"
    text += "  y[*s] = x[*s] * rate\n  old[*s] = x[*s] + 0\n}"
    decayed = uol.op(text, aliases={"x": "y"})
    x, before = seeded(5), seeded(5)
    assert torch.equal(decayed.in_place(x, rate=0.5), before)  # the other result, though its kernel reads x after the write
    assert torch.equal(x, before * 0.5)
    assert aliases_of("decayed") == {"x": "y"}


def test_what_reads_other_elements_is_refused_and_not_registered() -> None:
    text = "op shifted(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + (x[i - 1] else 0) }"
    with pytest.raises(uol.TypeCheckError, match=r"<uol.op>:1:55: `x` cannot be overwritten by `y`"):
        uol.op(text, aliases={"x": "y"})
    with pytest.raises(AttributeError):
        _ = uol.ops.shifted


REFUSED = {
    "p needs a gradient and cannot be overwritten": lambda: uol.ops.sgd_(seeded(3).requires_grad_(), seeded(3), lr=0.1),
    "p is \\[1, 3\\] and would become \\[2, 3\\]": lambda: uol.ops.sgd_(seeded(1, 3), seeded(2, 3), lr=0.1),
    "p is overwritten, and 2.0 is no tensor": lambda: uol.ops.sgd_(2.0, seeded(3), lr=0.1),
    "sgd needs 'lr'": lambda: uol.ops.sgd_(seeded(3), seeded(3)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_overwritten_is_refused(message: str) -> None:
    with pytest.raises(uol.UolError, match=message):
        REFUSED[message]()


def test_an_operator_without_aliases_has_no_such_form() -> None:
    with pytest.raises(AttributeError):
        _ = uol.ops.softmax_

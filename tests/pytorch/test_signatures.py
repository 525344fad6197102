"""`uol.ops.<name>` takes the arguments of PyTorch's function of that name, and gives its results."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from signature_calls import EXACT, Case, Theirs, inputs
from turns import by_turns

import uol
from uol.operators.registry import find_operator, is_known
from uol.ops import signatures
from uol.pytorch.signatures.functions import Function

TOLERANCE = {torch.float32: {"rtol": 2e-5, "atol": 2e-5}, torch.float64: {"rtol": 1e-9, "atol": 1e-10}}


def shown(case: Case) -> str:
    names = case.__code__.co_names
    return f"{names[0]}_{case.__code__.co_firstlineno}"


CASES = [case for family in EXACT.values() for case in family]
DTYPES = (torch.float32, torch.float64)


def tensors(found: Any) -> Iterator[torch.Tensor]:
    yield from (found,) if isinstance(found, torch.Tensor) else found


def outcome(o: Any, case: Case, dtype: torch.dtype) -> tuple[list[torch.Tensor], dict[str, torch.Tensor | None]]:
    """The results of a call, and the gradients of all inputs."""
    n = inputs(dtype)
    results = list(tensors(case(o, n)))
    leaves = {name: x for name, x in vars(n).items() if x.requires_grad}
    total = [(y * torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape).cos()).sum() for y in results if y.requires_grad]
    if not total:
        return results, {}
    grads = torch.autograd.grad(sum(total), list(leaves.values()), allow_unused=True)
    return results, dict(zip(leaves, grads, strict=True))


@pytest.mark.parametrize(
    ("dtype", "case"), by_turns(2, DTYPES, CASES), ids=[f"{shown(case)}-{dtype}" for dtype in DTYPES for case in CASES]
)
def test_a_call_as_for_pytorch_gives_what_pytorch_gives(case: Case, dtype: torch.dtype) -> None:
    theirs, their_grads = outcome(Theirs(), case, dtype)
    ours, our_grads = outcome(uol.ops, case, dtype)
    assert [(y.dtype, y.shape) for y in ours] == [(y.dtype, y.shape) for y in theirs]
    for y, z in zip(ours, theirs, strict=True):
        torch.testing.assert_close(y, z, **TOLERANCE.get(y.dtype, {}))
    for name, grad in their_grads.items():
        if grad is not None:
            given = our_grads.get(name)
            assert given is not None, name
            torch.testing.assert_close(given, grad, **TOLERANCE[dtype])


X = torch.linspace(-2, 3, 24).reshape(4, 6)

REFUSED = {
    "quantile: q is not between 0 and 1": lambda: uol.ops.quantile(X, 1.5),
    "histogram: weight is": lambda: uol.ops.histogram(X, 3, weight=torch.ones(5)),
    "avg_pool2d: divisor_override=0 has no text": lambda: uol.ops.avg_pool2d(X[None, None], 2, divisor_override=0),
    "interpolate: mode='bilinear' of torch.uint8 has no text": lambda: uol.ops.interpolate(
        X[None, None].byte(), scale_factor=1.7, mode="bilinear"
    ),
    "gelu: approximate='tan' has no text": lambda: uol.ops.gelu(X, approximate="tan"),
    "scaled_dot_product_attention: dropout_p beside attn_mask": lambda: uol.ops.scaled_dot_product_attention(
        X, X, X, X @ X.T, dropout_p=0.1
    ),
    "dropout_attention: p is": lambda: uol.ops.scaled_dot_product_attention(X, X, X, dropout_p=1.5),
    "softmax: dim=None of 3 dims has no text": lambda: uol.ops.softmax(X[None]),
    "layer_norm: normalized_shape is": lambda: uol.ops.layer_norm(X, (5,)),
    "norm: p='nuc' has no text": lambda: uol.ops.norm(X, "nuc"),
    "got an unexpected keyword argument 'kernel'": lambda: uol.ops.max_pool2d(X[None, None], kernel=2),
    "sum takes from 1 to 3 positional arguments": lambda: uol.ops.sum(X, 1, False, 2),
    "max has no form for 'rows'": lambda: uol.ops.max("rows"),
    "add: b is 'x', not a tensor or a number": lambda: uol.ops.add(X, "x"),
    "index_fill: index 6 is out of range": lambda: uol.ops.index_fill(X, 1, torch.tensor([6]), 1.0),
    "index_select: index -1 is out of range": lambda: uol.ops.index_select(X, 1, torch.tensor([0, -1])),
    "embedding: index 4 is out of range": lambda: uol.ops.embedding(torch.tensor([1, 4]), X),
    "embedding_bag: index -1 is out of range": lambda: uol.ops.embedding_bag(torch.tensor([[1, -1]]), X),
    "take: index 24 is out of range": lambda: uol.ops.take(X, torch.tensor([24])),
    "one_hot: index 5 is out of range": lambda: uol.ops.one_hot(torch.tensor([5]), 5),
    "bincount: index -1 is out of range": lambda: uol.ops.bincount(torch.tensor([2, -1])),
    "histogram: the range is inf to inf": lambda: uol.ops.histogram(X.abs() / 0, 3),
    "scatter_add: index 4 is out of range": lambda: uol.ops.scatter_add(X, 0, torch.tensor([[4]]), X),
    "index_put: index -7 is out of range": lambda: uol.ops.index_put(X, (None, torch.tensor([-7])), X[0, 0]),
    "nll_loss: a target of probabilities has no text": lambda: uol.ops.nll_loss(X, X),
    "embedding_bag: input has one dim": lambda: uol.ops.embedding_bag(torch.tensor([1]), X),
    "arange: from 1 to 5 by -1": lambda: uol.ops.arange(1, 5, -1),
    "mm: input has 3 dims, not 2": lambda: uol.ops.mm(X[None], X.T),
    "linear: K is 6 in x, but 5 in w": lambda: uol.ops.linear(X, torch.ones(3, 5)),
    "heads of queries": lambda: uol.ops.scaled_dot_product_attention(
        torch.ones(1, 4, 2, 8), torch.ones(1, 2, 2, 8), torch.ones(1, 2, 2, 8)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_text_is_refused_by_name_and_with_what_to_write(message: str) -> None:
    with pytest.raises(uol.UolError, match=message) as caught:
        REFUSED[message]()
    assert caught.value.hint


def test_a_call_without_options_has_the_defaults_of_pytorch() -> None:
    """Which is what lets it go to its kernel at once."""
    for name in signatures.names():
        for form in Function(name).forms:
            if form.is_direct:
                assert all(of in form.defaults for _, of in form.row.attributes), name
                assert all(form.row.only[key] == [form.defaults[key]] or form.defaults[key] is None for key in form.row.only), (
                    name
                )


def test_every_row_names_texts_and_rewrites_that_there_are() -> None:
    for name in signatures.names():
        function = getattr(uol.ops, name)
        assert function.__module__ == "uol.ops" and inspect.signature(function).parameters
        for form in signatures.forms_of(name):
            for text in form.texts:
                assert is_known(text.partition("(")[0]), (name, text)
            known = {a.name for a in find_operator(form.text).attributes} | TEXT_OPTIONS
            assert {attribute for attribute, _ in form.attributes} <= known, name


TEXT_OPTIONS = {"dim", "keepdim", "reduction", "ceil_mode", "count_include_pad", "dtype"}


def test_every_argument_is_named_as_pytorch_names_it() -> None:
    """PyTorch's own parser is asked: it takes the tensors of a row by these names."""
    for name in ("layer_norm", "conv2d", "cross_entropy", "scaled_dot_product_attention", "batch_norm", "interpolate", "pad"):
        theirs = getattr(torch.nn.functional, name)
        code = inspect.unwrap(theirs)
        if not inspect.isbuiltin(code):
            own = list(inspect.signature(code).parameters)
            assert list(inspect.signature(getattr(uol.ops, name)).parameters) == own, name


def test_results_go_where_out_says() -> None:
    y, values, places = torch.empty(4), torch.empty(4, 2), torch.empty(4, 2, dtype=torch.int64)
    assert uol.ops.sum(X, 1, out=y) is y
    assert torch.equal(y, uol.ops.sum(X, 1))
    uol.ops.topk(X, 2, out=(values, places))
    assert torch.equal(values, X.topk(2).values) and torch.equal(places, X.topk(2).indices)
    with pytest.raises(uol.ShapeError, match="out has the shape"):
        uol.ops.sum(X, out=y)


COMPILED: list[Case] = [
    lambda o, n: o.add(n.x, n.i),
    lambda o, n: o.sum(n.x),
    lambda o, n: o.max(n.x, 1).values,
    lambda o, n: o.layer_norm(n.x, (6,), n.z),
    lambda o, n: o.conv2d(n.image, n.w, n.wb, 2, 1),
    lambda o, n: o.max_pool2d(n.image, 2),
    lambda o, n: o.cross_entropy(n.x, n.classes),
    lambda o, n: o.scaled_dot_product_attention(n.query, n.key, n.value, attn_mask=n.bias),
    lambda o, n: o.pad(n.x, (1, 2)),
    lambda o, n: o.gather(n.x, 1, n.at),
]


@pytest.mark.parametrize("case", COMPILED, ids=shown)
def test_a_traced_call_gives_what_pytorch_gives(case: Case) -> None:
    n = inputs(torch.float32)
    torch.compiler.reset()
    traced = torch.compile(lambda m: case(uol.ops, m), backend="eager", fullgraph=True)
    torch.testing.assert_close(traced(n), case(Theirs(), n), **TOLERANCE[torch.float32])


def test_functions_are_mapped_and_pickled() -> None:
    torch.testing.assert_close(torch.vmap(uol.ops.logsumexp, in_dims=(0, None))(X, 0), X.logsumexp(1))
    gradient = torch.func.grad(lambda x: uol.ops.mean(uol.ops.mul(x, x)))(X)
    torch.testing.assert_close(gradient, X / 12)
    assert pickle.loads(pickle.dumps(uol.ops.layer_norm)) is uol.ops.layer_norm
    with uol.fallback():
        torch.testing.assert_close(uol.ops.sum(X), X.sum())


HELPED = (
    "softmax",
    "conv2d",
    "layer_norm",
    "scaled_dot_product_attention",
    "max",
    "sum",
    "cross_entropy",
    "topk",
    "clamp",
    "pad",
)


@pytest.mark.parametrize("name", HELPED)
def test_help_says_arguments_maths_types_and_what_is_refused(name: str) -> None:
    function = getattr(uol.ops, name)
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    first = signatures.forms_of(name)[-1]
    assert f"{name}{inspect.signature(function)}" in text and "(input" in text.replace("(query", "(input")
    assert f"op {first.text}(" in text and "Types: f64" in text and f"uol.ops.text.{first.text}" in text
    for argument in first.only:
        assert f"Only {argument} = " in text
    assert name in dir(uol.ops)


@pytest.mark.parametrize(
    "at",
    [
        (None, torch.tensor([1, -1]), torch.tensor([0, 5])),
        (torch.tensor([1]), None, torch.tensor([0, 5])),
        (None, torch.tensor([[True, False] * 3] * 2 + [[False] * 6] * 2)),
        (None, None, torch.tensor([[3], [1]])),
    ],
)
def test_index_put_is_an_assignment(at: Any) -> None:
    x = torch.randn(2, 4, 6)
    wanted, z = x.clone(), torch.randn(x[tuple(slice(None) if i is None else i for i in at)].shape)
    wanted[tuple(slice(None) if i is None else i for i in at)] = z
    assert torch.equal(uol.ops.index_put(x, at, z), wanted)


def test_each_nan_is_a_value_of_its_own() -> None:
    x = torch.tensor([[2.0, float("nan"), -1.0], [float("nan"), 2.0, float("inf")]])
    ours, theirs = (o.unique(x, return_inverse=True, return_counts=True) for o in (uol.ops, torch))
    for y, z in zip(ours, theirs, strict=True):
        torch.testing.assert_close(y, z, equal_nan=True)


def test_an_index_under_vmap_is_not_read() -> None:
    table, at = torch.randn(5, 3), torch.randint(0, 5, (4, 2))
    assert torch.equal(torch.vmap(lambda each: uol.ops.embedding(each, table))(at), table[at])

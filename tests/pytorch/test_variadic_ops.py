"""`uol.ops.concat`, `stack`, `einsum`: against PyTorch's, and what is refused."""

from __future__ import annotations

import pytest
import torch

import uol
from uol.operators.registry import find_operator
from uol.ops.references import has_reference
from uol.ops.variadic import MOST_INPUTS


def seeded(*size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64).to(dtype)


CONCATS = {
    "two": ([(2, 3), (2, 1)], 1),
    "the last of three dims": ([(2, 3, 4), (2, 3, 1), (2, 3, 2)], -1),
    "an empty one": ([(2, 3), (0, 3), (1, 3)], 0),
    "one alone": ([(2, 3)], 1),
    "no other dims": ([(3,), (4,)], 0),
    "more than one text takes": ([(1, 2)] * (MOST_INPUTS + 3), 0),
}


@pytest.mark.parametrize("case", CONCATS)
def test_concat(case: str) -> None:
    sizes, dim = CONCATS[case]
    tensors = [seeded(*size) + number for number, size in enumerate(sizes)]
    assert torch.equal(uol.ops.concat(tensors, dim=dim), torch.cat(tensors, dim))


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64, torch.uint8, torch.bool])
def test_concat_copies_every_type(dtype: torch.dtype) -> None:
    a, b = (seeded(3, 4) > 0).to(dtype), (seeded(2, 4) > 0).to(dtype)
    assert torch.equal(uol.ops.concat([a, b]), torch.cat([a, b]))


def test_one_tensor_alone_is_copied() -> None:
    x = seeded(2, 3)
    for y in (uol.ops.concat([x], dim=1), uol.ops.stack([x])[0]):
        assert torch.equal(x, y) and x.data_ptr() != y.data_ptr()


def test_results_lie_as_pytorchs_do() -> None:
    a, b = seeded(2, 3, 4), seeded(2, 3, 4)
    assert uol.ops.concat([a, b], dim=1).is_contiguous() and uol.ops.stack([a, b], dim=2).is_contiguous()
    images = [seeded(2, 3, 4, 5).to(memory_format=torch.channels_last) for _ in range(2)]
    joined = uol.ops.concat(images, dim=1)
    assert torch.equal(joined, torch.cat(images, 1)) and joined.is_contiguous(memory_format=torch.channels_last)


def test_concat_and_stack_read_any_strides() -> None:
    a, b = seeded(4, 6)[::2, ::3], seeded(2, 2).t()
    assert torch.equal(uol.ops.concat([a, b, a.expand(2, 2)], dim=1), torch.cat([a, b, a], 1))
    assert torch.equal(uol.ops.stack([a, b], dim=1), torch.stack([a, b], 1))


@pytest.mark.parametrize("dim", [-3, 0, 1, 2])
def test_stack(dim: int) -> None:
    tensors = [seeded(2, 3) + k for k in range(MOST_INPUTS + 1 if dim == 0 else 3)]
    assert torch.equal(uol.ops.stack(tensors, dim), torch.stack(tensors, dim))


EINSUMS = {
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "ij,kj": [(2, 3), (4, 3)],
    "ij->ji": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "ijk->k": [(2, 3, 4)],
    "i,j->ij": [(2,), (3,)],
    ",i->i": [(), (3,)],
    "bhqd,bhkd->bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)],
    "tY,yT->tT": [(2, 3), (4, 5)],
    "xy, y -> x": [(2, 3), (3,)],
    "aab,bc->ca": [(2, 2, 3), (3, 4)],
    "ij,jk->ik": [(2, 0), (0, 3)],
    "ij,ij->": [(2, 3), (2, 3)],
}


@pytest.mark.parametrize("equation", EINSUMS)
def test_einsum(equation: str) -> None:
    operands = [seeded(*size, dtype=torch.float64) for size in EINSUMS[equation]]
    torch.testing.assert_close(uol.ops.einsum(equation, *operands), torch.einsum(equation, *operands))


MANY = {
    "ab,bc,cd->ad": [(2, 3), (3, 4), (4, 5)],
    "i,j,k,l->lkji": [(2,), (3,), (4,), (5,)],
    "bqd,bkd,bkv->bqv": [(2, 3, 4), (2, 5, 4), (2, 5, 6)],
    "ii,ij,jk,k->": [(3, 3), (3, 4), (4, 2), (2,)],
    "...a,ab,bc->...c": [(2, 5, 3), (3, 4), (4, 2)],
    "a,ab,abc,a->c": [(2,), (2, 3), (2, 3, 0), (2,)],
    "xy,yz,zw": [(2, 3), (3, 4), (4, 5)],
}


@pytest.mark.parametrize("equation", MANY)
def test_einsum_of_more_than_two(equation: str) -> None:
    operands = [seeded(*size, dtype=torch.float64).requires_grad_() for size in MANY[equation]]
    found, wanted = uol.ops.einsum(equation, *operands), torch.einsum(equation, *operands)
    torch.testing.assert_close(found, wanted)
    cotangent = seeded(*wanted.shape, dtype=torch.float64)
    grads = (torch.autograd.grad(y, operands, cotangent) for y in (found, wanted))
    torch.testing.assert_close(*grads)


def test_einsum_reads_any_strides_and_rounds_once() -> None:
    a, b = seeded(6, 8, dtype=torch.float16)[::2, ::2], seeded(5, 4, dtype=torch.float16).t()
    exact = torch.einsum("ij,jk->ik", a.double(), b.double())
    torch.testing.assert_close(uol.ops.einsum("ij,jk->ik", a, b).double(), exact, rtol=2.0**-10, atol=1e-3)


def test_gradients_go_through() -> None:
    a, b = (seeded(2, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: uol.ops.concat([a, b], dim=1), (a, b))
    assert torch.autograd.gradcheck(lambda a, b: uol.ops.stack([a, b], dim=1), (a, b))
    assert torch.autograd.gradcheck(lambda a, b: uol.ops.einsum("ij,kj->ik", a, b), (a, b))


def test_one_text_serves_all_dims_and_is_known_by_its_name() -> None:
    uol.ops.einsum("ij,jk->ik", seeded(2, 3), seeded(3, 4))
    assert torch.equal(
        uol.ops.einsum_ij_jk_ik(seeded(2, 3), seeded(3, 1)), torch.ops.uol.einsum_ij_jk_ik(seeded(2, 3), seeded(3, 1))
    )
    assert find_operator("einsum_ij_jk_ik") is find_operator("einsum_ij_jk_ik")
    assert has_reference("einsum_ij_jk_ik")
    assert (
        "T(sum[j](acc(left[i, j]) * acc(right[j, k])))"
        in uol.compile("einsum_ij_jk_ik", "cuda", dims=dict(I=2, J=3, K=4)).source
    )


def test_under_torch_compile() -> None:
    def model(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return uol.ops.einsum("ij,kj->ik", uol.ops.concat([a, b], dim=1) + 1, uol.ops.concat([a, b], dim=1))

    a, b = seeded(2, 3), seeded(2, 1)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(a, b), model(a, b))


def test_einsum_of_three_under_torch_compile() -> None:
    def model(*x: torch.Tensor) -> torch.Tensor:
        return uol.ops.einsum("ab,bc,cd->ad", *x)

    for sizes in ([(2, 3), (3, 4), (4, 5)], [(7, 3), (3, 9), (9, 2)]):
        x = [seeded(*size) for size in sizes]
        torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(*x), torch.einsum("ab,bc,cd->ad", *x))


REFUSED = {
    "item 1 is \\[4\\] and item 0 is \\[3\\] in all dims but 1": lambda: uol.ops.concat([seeded(3, 2), seeded(4, 2)], dim=1),
    "item 1 is \\[1\\] and item 0 is \\[3\\] in all dims but 1": lambda: uol.ops.concat([seeded(3, 2), seeded(1, 2)], dim=1),
    "concat of no tensors": lambda: uol.ops.concat([]),
    "concat takes a list of tensors": lambda: uol.ops.concat(seeded(3)),
    "concat: item 1 is 2.0, not a tensor": lambda: uol.ops.concat([seeded(3), 2.0]),
    "concat: dim is 2\n  help: it is one of -2 to 1": lambda: uol.ops.concat([seeded(3, 2)], dim=2),
    "the tensors have no dims; stack gives them one": lambda: uol.ops.concat([seeded(), seeded()]),
    "x0 is f32, but x1 is f16": lambda: uol.ops.concat([seeded(3), seeded(3, dtype=torch.float16)]),
    "stack: item 1 is \\[2, 1\\] and item 0 is \\[2, 2\\] in every dim": lambda: uol.ops.stack([seeded(2, 2), seeded(2, 1)]),
    "j is 3 in operand 2, but 2 before": lambda: uol.ops.einsum("i,j,j->i", seeded(2), seeded(2), seeded(3)),
    "operand 1 has 2 dims, and 1 letters": lambda: uol.ops.einsum("i,j,k->ijk", seeded(2), seeded(2, 2), seeded(2)),
    "takes 3 tensors, not 2": lambda: uol.ops.einsum("i,j,k->ijk", seeded(2), seeded(2)),
    "has '.' among its letters": lambda: uol.ops.einsum("..i->i", seeded(2)),
    "the result has 'k', no operand does": lambda: uol.ops.einsum("ij->ik", seeded(2, 2)),
    "the result has 'i' twice": lambda: uol.ops.einsum("i->ii", seeded(2)),
    "takes 2 tensors, not 1": lambda: uol.ops.einsum("i,i->", seeded(2)),
    "J is 3 in left, but 2 in right": lambda: uol.ops.einsum("ij,jk->ik", seeded(2, 3), seeded(2, 2)),
    "left has 1 dims, the operator takes 2": lambda: uol.ops.einsum("ij,jk->ik", seeded(2), seeded(2, 2)),
    "einsum: the equation is 3": lambda: uol.ops.einsum(3, seeded(2)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused(message: str) -> None:
    with pytest.raises(uol.UolError, match=message):
        REFUSED[message]()


def test_a_text_calls_generated_operators() -> None:
    text = "op joined_sums(a: T[N, D], b: T[M, D]) -> (y: T[N + M]) for T in (f64, f32) {\n"
    text += "  y[n] = sum[d](concat_2(a, b)[n, d])\n}"
    joined_sums = uol.op(text)
    a, b = (seeded(*s, dtype=torch.float64).requires_grad_() for s in ((2, 3), (1, 3)))
    torch.testing.assert_close(joined_sums(a, b), torch.cat([a, b]).sum(1))
    assert torch.autograd.gradcheck(joined_sums, (a, b))


def test_the_name_of_a_generated_operator_is_taken() -> None:
    with pytest.raises(uol.TypeCheckError, match="the library has another operator `stack_5`"):
        uol.op("op stack_5(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] }")
    assert len(find_operator("stack_5").params) == 5


def test_names_of_no_family_are_unknown() -> None:
    for name in (
        "concat_0",
        f"concat_{MOST_INPUTS + 1}",
        "einsum_ij_ik",
        "einsum_i_i_i_i",
        "einsum_i_jj",
        "stack_x",
        "stack_2_at_0",
    ):
        with pytest.raises(AttributeError):
            getattr(uol.ops.text, name)


@pytest.mark.parametrize(
    ("name", "sizes"), [("concat_2_at_1", [(2, 3), (2, 1)]), ("stack_2", [(3,), (3,)]), ("einsum_ij_kj_ik", [(2, 3), (4, 3)])]
)
def test_pytorch_takes_generated_operators(name: str, sizes: list[tuple[int, ...]]) -> None:
    assert getattr(uol.ops.text, name)
    torch.library.opcheck(getattr(torch.ops.uol, name).default, tuple(seeded(*size).requires_grad_() for size in sizes))

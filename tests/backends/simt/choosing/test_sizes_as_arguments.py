"""Kernels that take dims as arguments: one text for all sizes, in the twins, on the stub of a driver, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from attention_cases import text_of
from stub_operators import VENDORS, Elsewhere, Vendor, launches_of, new_stream
from turns import by_turns

import uol
from uol.backends import registry
from uol.backends.simt.rows import parts, select_plan, splitting
from uol.backends.stub_driver.loading import artifact_for, load_artifact
from uol.backends.stub_driver.stub import Stub
from uol.backends.twin import Job, execute_many
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.long_rows import split_select
from uol.codegen.specs.nodes import Attention
from uol.compiler import Compiled
from uol.ir.errors import ShapeError
from uol.ir.program.nodes import Expr
from uol.ir.syntax.parser import parse

F = torch.nn.functional
TARGETS = ("cuda", "hip")


def seeded(*size: int) -> np.ndarray:
    return np.random.default_rng(sum(size)).standard_normal(size).astype(np.float32)


def in_twin(kernel: Compiled, sizes: Mapping[str, int], *arrays: np.ndarray, **attributes: float) -> np.ndarray:
    """The one result of the emitted text."""
    (result,) = results(kernel, sizes, *arrays, **attributes)
    return result


def results(
    kernel: Compiled, sizes: Mapping[str, int], *arrays: np.ndarray, **attributes: float
) -> Sequence[np.ndarray]:
    """The results of the emitted text, run with all checks."""
    buffers = dict(zip((a.name for a in kernel.inputs), arrays, strict=True))
    capability = registry.get(kernel.module.backend).capability
    (run,) = execute_many([Job(kernel.module, buffers, {**sizes, **attributes}, capability=capability, shift=1)])
    assert not run.findings, run.findings
    return [*run.outputs.values()]


@pytest.mark.parametrize("target", TARGETS)
def test_one_text_is_right_at_every_length_of_a_row(target: str) -> None:
    kernel = uol.compile("softmax", target, "f32", {"S": None, "C": None})
    for rows, columns in ((1, 1), (3, 5), (7, 32), (2, 1000), (5, 4096), (300, 64), (0, 4), (4, 0)):
        x = seeded(rows, columns)
        expected = F.softmax(torch.from_numpy(x).double(), -1).numpy()
        found = in_twin(kernel, {"S": rows, "C": columns}, x)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_short_rows_of_any_length_come_to_shared_memory_first(target: str) -> None:
    """Wherever a picture begins: each block has a whole number of them."""
    kernel = uol.compile("global_avg_pool2d", target, "f32", {"N": 4, "C": 2048, "H": 3, "W": None})
    staged = [k for k in kernel.module.kernels if "__shared__ float x_rows[" in k.text]
    used = set()
    for width in (1, 7, 17, 31):
        sizes = {"W": width}
        x = seeded(4, 2048, 3, width)
        np.testing.assert_allclose(in_twin(kernel, sizes, x), x.astype(np.float64).mean((2, 3)), rtol=1e-5, atol=1e-6)
        used |= {k.name for k in staged if holds(k.launch.where, sizes)}
    assert len(used) == 3
    assert used == {k.name for k in staged if "_short" not in k.name}


@pytest.mark.parametrize("target", TARGETS)
def test_a_sequence_that_grows_has_the_same_kernels(target: str) -> None:
    """The queries of a decoding step, and more keys each time: over parts of the keys, and what these come to."""
    kernel = uol.compile("attention", target, "f32", {"B": 1, "H": 2, "G": 2, "L": 1, "M": None, "D": 16, "E": 16})
    assert [type(k.spec).__name__ for k in kernel.module.kernels] == ["Attention", "Reduce"]
    for length in (0, 1, 15, 16, 17, 100):
        q, k, v = seeded(1, 2, 1, 16), seeded(1, 2, length, 16), seeded(1, 2, length, 16)
        expected = F.scaled_dot_product_attention(*(torch.from_numpy(each).double() for each in (q, k, v)))
        if not length:  # what sees no key is 0; PyTorch gives NaN
            expected = torch.zeros(1, 2, 1, 16, dtype=torch.float64)
        np.testing.assert_allclose(in_twin(kernel, {"M": length}, q, k, v), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("op", "target"), by_turns(2, ["attention", "causal_attention"], TARGETS))
def test_any_number_of_heads_and_of_those_that_share_keys_has_one_kernel(target: str, op: str) -> None:
    dims = {"B": None, "H": None, "G": None, "L": None, "M": None, "D": 16, "E": 16}
    kernel = uol.compile(op, target, "f32", dims)
    assert [type(k.spec).__name__ for k in kernel.module.kernels] == ["Attention"]
    for batch, heads, groups, length, keys in ((1, 4, 4, 9, 9), (2, 6, 2, 5, 33), (2, 6, 3, 17, 20), (1, 3, 1, 4, 7)):
        seen = length if op == "causal_attention" else keys
        q, k, v = seeded(batch, heads, length, 16), seeded(batch, groups, seen, 16), seeded(batch, groups, seen, 16)
        golden = F.scaled_dot_product_attention(
            *(torch.from_numpy(each).double() for each in (q, k, v)), enable_gqa=True, is_causal=op == "causal_attention"
        )
        sizes = {"B": batch, "H": heads, "G": groups, "L": length, "M": seen}
        np.testing.assert_allclose(in_twin(kernel, sizes, q, k, v), golden.numpy(), rtol=1e-5, atol=2e-6)


WIDTHS = ((1, 1), (17, 16), (16, 97), (70, 257), (300, 520))
"""Of keys and of values: within the first bound, at the ends of bounds, and so wide that blocks have parts."""


@pytest.mark.parametrize("target", TARGETS)
def test_heads_of_any_width_have_one_kernel_each(target: str) -> None:
    kernel = uol.compile("attention", target, "f32", {"B": 2, "H": 2, "G": 1, "L": 18, "M": 21, "D": None, "E": None})
    assert {type(k.spec) for k in kernel.module.kernels} == {Attention}
    for depth, width in WIDTHS:
        sizes = {"D": depth, "E": width}
        q, k, v = seeded(2, 2, 18, depth), seeded(2, 1, 21, depth), seeded(2, 1, 21, width)
        torches = (torch.from_numpy(each).double() for each in (q, k, v))
        golden = F.scaled_dot_product_attention(*torches, enable_gqa=True)
        np.testing.assert_allclose(in_twin(kernel, sizes, q, k, v), golden.numpy(), rtol=1e-5, atol=1e-5)
        assert sum(holds(each.launch.where, sizes) for each in kernel.module.kernels) == 1
    assert not holds(kernel.module.graph.checks, {"D": 1, "E": 0})


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_row_has_but_once_is_stored_by_one_of_the_blocks_that_share_it(target: str) -> None:
    """The maximum of its scores and the sum of its weights, beside a width of which blocks have parts."""
    (bare,) = parse(text_of("bare"))
    kernel = uol.compile(bare, target, "f32", {"B": 1, "H": 2, "G": 2, "L": 5, "M": 7, "D": 3, "E": None})
    q, k, v = seeded(1, 2, 5, 3), seeded(1, 2, 7, 3), seeded(1, 2, 7, 300)
    scores = np.einsum("bhid,bhjd->bhij", q.astype(np.float64), k) / 3**0.5
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    golden = (weights @ v, scores.max(-1), 2 * weights.sum(-1))
    for found, expected in zip(results(kernel, {"E": 300}, q, k, v), golden, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


FIXED: Sequence[tuple[dict[str, int | None], Sequence[tuple[int, int]]]] = [
    ({"D": None, "E": None}, WIDTHS),
    ({"D": None, "E": 16}, [(300, 16)]),
    ({"D": 256, "E": None}, [(256, 513)]),
    ({"D": 300, "E": None}, [(300, 17), (300, 600)]),
]
"""Which widths are numbers, and at what sizes: beside one of which blocks have parts, the other may be all in the first."""


@pytest.mark.parametrize(("target", "fixed"), by_turns(2, TARGETS, FIXED))
def test_gradients_of_heads_of_any_width(
    target: str, fixed: tuple[dict[str, int | None], Sequence[tuple[int, int]]]
) -> None:
    dims, widths = fixed
    kernel = uol.compile("attention_grad", target, "f32", {"B": 1, "H": 4, "G": 2, "L": 5, "M": 7, **dims})
    assert any(isinstance(k.spec, Attention) for k in kernel.module.kernels)
    for depth, width in widths:
        q, k, v, dy = seeded(1, 4, 5, depth), seeded(1, 2, 7, depth), seeded(1, 2, 7, width), seeded(1, 4, 5, width)
        of = [torch.from_numpy(each).double().requires_grad_() for each in (q, k, v)]
        y = F.scaled_dot_product_attention(*of, enable_gqa=True)
        golden = torch.autograd.grad(y, of, torch.from_numpy(dy).double())
        scores = of[0].detach() @ of[1].detach().repeat_interleave(2, 1).mT / depth**0.5
        hi = scores.amax(-1, keepdim=True)
        saved = [x.float().numpy() for x in (y.detach(), hi[..., 0], 1 / (scores - hi).exp().sum(-1))]
        sizes = {name: size for name, size in (("D", depth), ("E", width)) if dims[name] is None}
        for found, expected in zip(results(kernel, sizes, q, k, v, *saved, dy), golden, strict=True):
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("target", "length"), by_turns(2, TARGETS, [0, 1, 2047, 2048, 2049, 5000, 8193, 33000]))
def test_rows_of_any_length_are_sorted_as_often_as_they_need(target: str, length: int) -> None:
    kernel = uol.compile("sort", target, "f32", {"S": (2,), "C": None})
    x = seeded(2, length)
    np.testing.assert_array_equal(in_twin(kernel, {"C": length}, x), np.sort(x, -1))


@pytest.mark.parametrize(
    ("length", "top", "target"),
    [
        (4097, 2048, "cuda"), (7096, 3001, "hip"), pytest.param(6000, 3000, "hip", marks=pytest.mark.soak),
        *(pytest.param(*sizes, marks=pytest.mark.soak) for sizes in ((10_000, 2100, "hip"), (8192, 4096, "cuda"))),
    ],  # fmt: skip
)
def test_of_two_runs_of_which_the_second_is_shorter_than_what_is_wanted(length: int, top: int, target: str) -> None:
    """In order already, so that all places of the last part are among the first."""
    for x in (np.arange(length, dtype=np.float32)[None], seeded(1, length)):
        expected = np.sort(x, -1)[:, ::-1][:, :top]
        fixed = uol.compile("topk", target, "f32", {"S": (1,), "C": length}, {"top": top})
        np.testing.assert_array_equal(results(fixed, {}, x)[0], expected)
        any_length = uol.compile("topk", target, "f32", {"S": (1,), "C": None}, {"top": top})
        np.testing.assert_array_equal(results(any_length, {"C": length}, x)[0], expected)


FROM_ON = """op {op}_from(x: T[S, C]; k: int) -> (y: i64[S]) for T in (f32, i32) where k >= 0, C > k {{
  y[s] = {op}[c >= k](x[s, c])
}}"""


@pytest.mark.parametrize(
    ("target", "fold"), by_turns(2, TARGETS, [("argmax", "f32", -np.inf), ("argmin", "i32", 2**31 - 1)])
)
def test_a_part_of_a_long_row_in_which_nothing_counts_has_no_place(target: str, fold: tuple[str, str, float]) -> None:
    """Though its extremum, of nothing, is what others have, too."""
    op, dtype, worst = fold
    (text,) = parse(FROM_ON.format(op=op))
    for length, dims in ((60_000, {"S": 2, "C": 60_000}), (50_000, {"S": 2, "C": None})):
        kernel = uol.compile(text, target, dtype, dims, {"k": length // 2})
        assert len(kernel.module.kernels) > 1
        x = np.full((2, length), worst, {"f32": np.float32, "i32": np.int32}[dtype])
        sizes = {"C": length} if dims["C"] is None else {}
        np.testing.assert_array_equal(in_twin(kernel, sizes, x), [length // 2] * 2)


SCANS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "op running_sum(x: f32[S, N]) -> (y: f32[S, N]) { y[s, i] = sum[j <= i](x[s, j]) }": lambda x: x.cumsum(-1),
    "op rest_sum(x: f32[S, N]) -> (y: f32[S, N]) { y[s, i] = sum[j >= i](x[s, j]) }": lambda x: x[:, ::-1].cumsum(-1)[:, ::-1],
    "op record(x: f32[S, N]) -> (y: f32[S, N]) { y[s, i] = max[j <= i](x[s, j]) }": lambda x: np.maximum.accumulate(x, -1),
}


@pytest.mark.parametrize(("text", "target"), by_turns(2, list(SCANS), TARGETS))
def test_a_long_scan_of_any_length_goes_over_blocks(text: str, target: str) -> None:
    """From one turn of a block for each of the parts on; what is left behind these is more, and less."""
    kernel = uol.compile(parse(text)[0], target, {}, {"S": 2, "N": None})
    where = {each.name: each.launch.where for each in kernel.module.kernels}
    shorter, longer = (0, 1, 1000, 1003, 30000, 30001, 30002, 30402, 30403), (59900, 60000, 60500, 61500, 61501, 61502)
    for length in (*shorter, *longer, 130000, 130001, 130002):
        x = np.random.default_rng(length).uniform(-1, 1, (2, length)).astype(np.float32)
        found = in_twin(kernel, {"N": length}, x)
        np.testing.assert_allclose(found, SCANS[text](x.astype(np.float64)), rtol=1e-5, atol=1e-3)
        where = {name: conditions for name, conditions in where.items() if not holds(conditions, {"N": length})}
    assert not where, "not launched at any length"


RECURRENCES = {
    "op fading(x: f32[S, N]) -> (y: f32[S, N]) { y[s, i] = sum[j <= i](x[s, j] * prod[k > j, k <= i](x[s, k])) }": False,
    "op rising(x: f32[S, N]) -> (y: f32[S, N]) { y[s, i] = sum[j >= i](x[s, j] * prod[k < j, k >= i](x[s, k])) }": True,
}


@pytest.mark.parametrize(("text", "target"), by_turns(2, list(RECURRENCES), TARGETS))
def test_a_long_recurrence_of_any_length_goes_over_blocks(text: str, target: str) -> None:
    """As a scan; what is left is a position at least."""
    kernel = uol.compile(parse(text)[0], target, {}, {"S": 2, "N": None})
    where = {each.name: each.launch.where for each in kernel.module.kernels}
    for length in (0, 1, 1003, 1004, 59904, 60000, 61501):
        x = np.random.default_rng(length).uniform(-1, 1, (2, length)).astype(np.float32)
        found, state = in_twin(kernel, {"N": length}, x), np.zeros(2)
        for at in range(length)[:: -1 if RECURRENCES[text] else 1]:
            state = x[:, at] * state + x[:, at].astype(np.float64)
            x[:, at] = state
        np.testing.assert_allclose(found, x, rtol=1e-5, atol=1e-5)
        where = {name: conditions for name, conditions in where.items() if not holds(conditions, {"N": length})}
    assert not where, "not launched at any length"


LENGTHS = (1, 3, 12, 16, 17, 32, 33, 60, 100, 128, 129, 200, 500, 513, 900, 1100, 2000, 3000, 4000, 8000, 12000, 30000, 60000)
ORDERS = {  # the shortest rows and the longest ones that they take
    "op sorted_by_32(x: f32[S, C]) -> (y: i64[S, C]) { y[s, i] = argsort[c](x[s, c]) }": (1, 1 << 15),
    "op first_of_32(x: f32[S, C]) -> (y: i64[S, 3]) where C >= 3 { (z[s, i], y[s, i]) = topk[c](x[s, c], 3) }": (3, 1 << 16),
    "op most_of_32(x: f32[S, C]) -> (y: i64[S, 12]) where C >= 12 { (z[s, i], y[s, i]) = topk[c](x[s, c], 12) }": (12, 1 << 16),
}


@pytest.mark.parametrize(("text", "target"), by_turns(2, list(ORDERS), TARGETS))
def test_orders_over_blocks_of_rows_of_any_length(text: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alike elements keep their order, NaN is the greatest, whichever kernels a length takes."""
    for module in (splitting, select_plan):
        monkeypatch.setattr(module, "TILE", 32)
    monkeypatch.setattr(parts, "STEPS", (16, 32))
    monkeypatch.setattr(split_select, "LONGEST", 1 << 15)
    kernel = uol.compile(parse(text)[0], target, {}, {"S": 2, "C": None})
    where = {each.name: each.launch.where for each in kernel.module.kernels}
    least, most = ORDERS[text]
    for length in (each for each in LENGTHS if least <= each <= most):
        x = np.random.default_rng(length).choice(np.array([-1, 0, 2, np.nan, np.inf, -np.inf], np.float32), (2, length))
        keys = np.where(np.isnan(x), -np.inf, -x) if "topk" in text else np.where(np.isnan(x), np.inf, x)
        nan_last = np.isnan(x) if "argsort" in text else ~np.isnan(x)
        expected = np.lexsort((np.broadcast_to(np.arange(length), x.shape), nan_last, keys), axis=-1)
        found = in_twin(kernel, {"C": length}, x)
        np.testing.assert_array_equal(found, expected[:, : found.shape[1]])
        where = {name: conditions for name, conditions in where.items() if not holds(conditions, {"C": length})}
    assert not where, "not launched at any length"


def holds(conditions: Sequence[Expr], sizes: Mapping[str, int]) -> bool:
    return all(value_at(each, sizes) for each in conditions)


@pytest.mark.parametrize(("target", "sizes"), by_turns(2, TARGETS, [(1, 1, 1), (64, 16, 64), (65, 17, 129), (3, 100, 2)]))
def test_a_product_of_any_sizes(target: str, sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    kernel = uol.compile("matmul", target, "f32", {"S": (1,), "M": None, "K": None, "N": None})
    a, b = seeded(1, m, k), seeded(1, k, n)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(in_twin(kernel, {"M": m, "K": k, "N": n}, a, b), expected, rtol=1e-4, atol=1e-4)


def limits(op: str, target: str, sizes: Mapping[str, int], **dims: Any) -> bool:
    """Do the conditions of a kernel that is open in these dims hold at such sizes?"""
    graph = uol.compile(op, target, "f32", {**dims, **dict.fromkeys(sizes)}).module.graph
    return all(value_at(check, sizes) for check in graph.checks)


@pytest.mark.parametrize("target", TARGETS)
def test_indices_of_32_bits_are_asked_for_by_the_sizes(target: str) -> None:
    kernel = uol.compile("softmax", target, "f32", {"S": None, "C": None})
    assert "long long" not in kernel.source
    assert limits("softmax", target, {"S": 1 << 15, "C": (1 << 16) - 8}), "2^31 - 2^18 elements"
    assert not limits("softmax", target, {"S": 1 << 15, "C": 1 << 16}), "2^31 elements"
    assert not limits("softmax", target, {"S": 1 << 16, "C": 1 << 16}), "2^32 elements, which 32 bits take for none"
    assert limits("relu", target, {"S": (1 << 31) - (1 << 17)})
    assert not limits("relu", target, {"S": 1 << 31})


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_beyond_32_bits_is_an_error_of_the_call(target: str) -> None:
    empty = np.empty((1 << 31, 0), np.float32)  # of no bytes, so that the place of its rows is not asked for
    softmax = uol.compile("softmax", target, "f32", {"S": None, "C": None})
    with pytest.raises(ShapeError, match=r"softmax needs .* <= 2147483647, but S = 2147483648, C = 0"):
        softmax(empty)


@pytest.mark.parametrize("target", TARGETS)
def test_places_that_data_gives_are_of_64_bits(target: str) -> None:
    kernel = uol.compile("gather_rows", target, "f32", {"B": None, "N": None, "K": None, "D": None})
    assert "const long long" in kernel.source
    assert not any("<= 2147483647" in str(check) for check in kernel.module.graph.checks)


@pytest.fixture(params=TARGETS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


X, W, Y = Elsewhere(0x100000), Elsewhere(0x200000), Elsewhere(0x300000)


def test_a_loaded_operator_has_the_grids_and_the_sizes_of_the_call(stub: Stub, vendor: Vendor) -> None:
    module = uol.compile("softmax", vendor.target, "f32", {"S": None, "C": None}).module
    call = load_artifact(stub, artifact_for(module, vendor.architecture))
    stream = new_stream(stub, vendor)
    stub.clear()
    for rows, columns in ((7, 132), (9, 133), (7, 132), (0, 5)):
        call(X, Y, rows, columns, stream=stream)
    found = launches_of(stub, vendor)
    a_block = 256 // registry.get(vendor.target).capability.lanes  # rows: lanes of a warp each
    short = [("softmax_short_by_4_kernel", -(-7 // a_block)), ("softmax_short_kernel", -(-9 // a_block))]
    assert [(each["name"], each["grid"][0]) for each in found] == [*short, short[0]], "no rows, no launch"
    assert [each["arguments"] for each in found] == [[X.address, Y.address, *size] for size in ((7, 132), (9, 133), (7, 132))]
    assert {each["stream"] for each in found} == {stream}
    with pytest.raises(ShapeError, match="softmax takes the sizes S, C behind its tensors"):
        call(X, Y, 7)


def test_the_workspace_is_as_large_as_the_sizes_ask(stub: Stub, vendor: Vendor) -> None:
    module = uol.compile("sort", vendor.target, "f32", {"S": (2,), "C": None}).module
    call: Any = load_artifact(stub, artifact_for(module, vendor.architecture))
    assert call.workspace_bytes == 0, "known at the call alone"
    small, large = call.at(100), call.at(10_000)
    assert 0 < small.workspace_bytes < large.workspace_bytes
    assert call.at(100) is small
    with pytest.raises(ShapeError, match=f"a workspace takes {large.workspace_bytes} bytes"):
        call(X, Y, 10_000, workspace=Elsewhere(0x400000, nbytes=small.workspace_bytes))
    call(X, Y, 10_000, workspace=0x400000)
    launches = launches_of(stub, vendor)
    assert [each["name"] for each in launches] == [f"sort_{part}_kernel" for part in ("tiles1", "merge2", "merge3", "rest3")]
    first, *others = sorted({a for each in launches for a in each["arguments"] if a >= 0x400000})
    assert first == 0x400000 and len(others) == 1, "keys of one, and of the other, of two merges in turn"

"""`uol.checked()`: calls of operators whose values break a rule are errors, before anything is written."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import uol
from uol.backends.loading.loaded import as_loaded
from uol.checking import MODE, with_checks

TEXT = """
op checked_quotient(a: i32[N], b: i32[N]) -> (q: i32[N]) { q[n] = a[n] / b[n] }
op checked_sum(x: T[N, D], at: i64[N]; S: int) -> (y: T[S, D]) for T in (f64, f32) where S > 0 { y[at[n], d] += x[n, d] }
op checked_groups(x: T[N], group: i32[N]; scale: float) -> (y: T[N]) for T in (f32, f16, bf16) where sorted(group) {
  y[n] = T(acc(x[n]) * scale)
}
"""


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    uol.op(TEXT)


def test_a_call_is_checked_within_the_block_and_only_there() -> None:
    a, b = torch.tensor([4, 5], dtype=torch.int32), torch.tensor([2, 0], dtype=torch.int32)
    assert uol.ops.checked_quotient(a, b).tolist() == [2, 0]
    with uol.checked(), pytest.raises(uol.DataError, match="`checked_quotient`, line 2: `/` of integers .* at n = 1"):
        uol.ops.checked_quotient(a, b)
    assert MODE.depth == 0
    assert uol.ops.checked_quotient(a, b).tolist() == [2, 0]


def test_nothing_is_written_where_a_check_fails() -> None:
    out = torch.full((2,), 7, dtype=torch.int32)
    with uol.checked(), pytest.raises(uol.DataError):
        uol.ops.checked_quotient(torch.tensor([4, 5], dtype=torch.int32), torch.tensor([0, 1], dtype=torch.int32), out=out)
    assert out.tolist() == [7, 7]


def test_a_target_outside() -> None:
    x = torch.ones(3, 4).t()[:3]  # strides of its own
    at = torch.tensor([0, 2, 1])
    with uol.checked():
        assert uol.ops.checked_sum(x, at, S=3).sum() == 9
        with pytest.raises(uol.DataError, match=r"the target `y\[at\[n\], d\]` lies outside at n = 1, d = 0, being 2, 0"):
            uol.ops.checked_sum(x, at, S=2)
    assert uol.ops.checked_sum(x, at, S=2).sum() == 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_broken_promise(dtype: torch.dtype) -> None:
    x, group = torch.ones(3, dtype=dtype), torch.tensor([0, 2, 1], dtype=torch.int32)
    with uol.checked():
        assert uol.ops.checked_groups(x, group.sort().values, scale=2.0).tolist() == [2, 2, 2]
        with pytest.raises(uol.DataError, match=r"group\[1\] = 2 comes before group\[2\] = 1"):
            uol.ops.checked_groups(x, group, scale=2.0)


@pytest.mark.parametrize(("op", "shape"), [("embedding", (3, 2)), ("index_select", (3, 2)), ("take", (3,)), ("gather", (2, 3))])
def test_an_index_that_pytorch_would_not_read(op: str, shape: tuple[int, ...]) -> None:
    x, at = torch.ones(shape), torch.tensor([[0, 2], [1, 3]])
    at = at if op in ("embedding", "take", "gather") else at[1]
    function = getattr(uol.ops.text, op)
    assert function(x, at).sum() > 0  # reads 0
    with uol.checked():
        message = rf"`{op}`: at\[.*1\] = 3 lies outside of dim {1 if op == 'gather' else 0} of [wx], which is 3"
        with pytest.raises(uol.DataError, match=message):
            function(x, at)
        with pytest.raises(uol.DataError, match="= -1 lies outside"):
            function(x, torch.where(at == 3, -1, at))
        assert function(x, at.clamp(max=2)).sum() == function(x, at.clamp(max=2)).numel()


def test_indices_are_inputs_of_operators_and_index_a_dim() -> None:
    from uol.ops import indices, texts

    for op in indices._table():
        params = {p.name: p for p in texts.library().get(op).params}  # type: ignore[union-attr]
        for name, (tensor, dim) in indices.indexed_dims(op).items():
            assert params[name].type in ("i64", "i32") and params[tensor].dims[dim]


def test_other_operators_run_as_ever() -> None:
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with uol.checked():
        uol.ops.text.softmax(x).sum().backward()
        torch.testing.assert_close(uol.ops.text.softmax(x), torch.softmax(x, -1))


def test_compiled_operators_are_checked_too() -> None:
    kernel = uol.compile("checked_quotient", dims={"N": 2})
    a, b = np.asarray([4, 5], np.int32), np.asarray([0, 1], np.int32)
    assert kernel(a, b).tolist() == [0, 5]
    with uol.checked(), pytest.raises(uol.DataError, match="at n = 0"):
        kernel(a, b)


def test_what_a_device_takes_beside_the_arguments_is_passed_on() -> None:
    kernel = uol.compile("checked_quotient", "cuda", dims={"N": 2})
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []
    noted = as_loaded(lambda *values, **launch: calls.append((values, launch)), 512)
    call = with_checks(noted, kernel.request, kernel.module.graph)
    assert call.workspace_bytes == 512
    a, b, q = (np.ones(2, np.int32) for _ in range(3))
    call(a, b, q, stream=7)
    with uol.checked():
        call(a, b, q, stream=8)
        with pytest.raises(uol.DataError):
            call(a, np.zeros(2, np.int32), q, stream=9)
    assert [launch for _, launch in calls] == [{"stream": 7}, {"stream": 8}]


@pytest.mark.parametrize(("value", "raised"), [("1", True), ("0", False), ("", False)])
def test_the_environment_asks_for_it(value: str, raised: bool) -> None:
    code = "from uol.checking import MODE; print(MODE.depth)"
    environment = {"PATH": "", "UOL_CHECKED": value}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(int(raised))

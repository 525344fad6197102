"""Sizes beyond 64 bits: of tensors, of what lies between kernels, and of the workspace as a whole."""

from __future__ import annotations

import pytest

import uol
from uol.backends import registry

pytestmark = pytest.mark.usefixtures("own_cache")

SCORES = """op large_scores(a: T[M, K], b: T[N, K]) -> (y: T[M]) for T in (f32, f64) {
  t[m, n] = sum[k](acc(a[m, k]) * acc(b[n, k]))
  hi[m] = max[n](t[m, n])
  y[m] = T(sum[n](exp(t[m, n] - hi[m])))
}"""
uol.op(SCORES)


@pytest.mark.parametrize("target", registry.names())
@pytest.mark.parametrize("exponent", [30, 32, 50])
def test_a_tensor_between_kernels_is_refused(target: str, exponent: int) -> None:
    size = 2**exponent
    with pytest.raises(uol.ShapeError) as raised:
        uol.compile("large_scores", target, dims={"M": size, "N": size, "K": 2})
    assert raised.value.message == f"large_scores: t of {size}x{size} elements is beyond 64-bit addresses"
    assert raised.value.hint == "choose smaller sizes"


def test_a_workspace_is_refused_as_a_whole() -> None:
    """Each buffer is within reach, all of them together are not."""
    from uol.binding.memory import require_addressable_workspace
    from uol.codegen.specs.graph import KernelGraph
    from uol.codegen.specs.nodes import Arg
    from uol.ir.program.nodes import Const

    def graph(count: int) -> KernelGraph:
        shape = (Const(2**29), Const(2**30))
        args = tuple(Arg(f"t{n}", "f64", shape, (Const(2**30), Const(1)), "workspace") for n in range(count))
        return KernelGraph("several", (), (), args, (), (), "")

    require_addressable_workspace(graph(1))
    with pytest.raises(uol.ResourceError, match=f"several: a workspace of {2**63} bytes is beyond 64-bit addresses"):
        require_addressable_workspace(graph(2))


def test_sizes_that_fit_are_taken() -> None:
    assert uol.compile("large_scores", dims={"M": 4, "N": 5, "K": 6}).source

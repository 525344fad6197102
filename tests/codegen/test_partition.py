"""What becomes one kernel, and of which kind."""

from __future__ import annotations

import pytest
from middle import lowered
from middle_texts import CONV_BN, GROUPED, LINEAR, MLP, NORM, RELU, RELU_POOL, RENAMED, SOFTMAX

from uol.codegen.specs.nodes import Contract, Fold, Let, Map, Reduce, Store


def kinds(text: str, **given: object) -> list[str]:
    return [type(spec).__name__ for spec in lowered(text, **given).specs]


def test_an_elementwise_op_is_one_map_in_the_order_of_its_result() -> None:
    (spec,) = lowered(RELU, dims={"S_0": 3, "S_1": 5}, ranks={"S": 2}, layouts={"x": (1, 3), "y": (1, 3)}).specs
    assert isinstance(spec, Map)
    assert [a.name for a in spec.index] == ["s_1", "s_0"]


@pytest.mark.parametrize("text", [SOFTMAX, RENAMED])
def test_softmax_is_one_reduction_with_two_folds(text: str) -> None:
    graph = lowered(text, dims={"R": 4, "C": 6})
    (spec,) = graph.specs
    assert isinstance(spec, Reduce)
    assert [s.op for s in spec.steps if isinstance(s, Fold)] == ["max", "sum"]
    assert [s.tensor for s in spec.steps if isinstance(s, Store)] == ["y"]
    assert not graph.workspaces


def test_a_norm_is_one_reduction_with_row_lets() -> None:
    (spec,) = lowered(NORM, dims={"R": 4, "C": 6}).specs
    assert isinstance(spec, Reduce)
    rows = [s.name for s in spec.steps if isinstance(s, Let) and set(s.axes) <= {"r"}]
    assert rows == ["mu", "var"]
    assert [s.name for s in spec.scalars] == ["eps"]


def test_linear_with_bias_and_relu_is_one_contraction() -> None:
    (spec,) = lowered(LINEAR, dims={"M": 4, "N": 5, "K": 6}).specs
    assert isinstance(spec, Contract)
    assert ([a.name for a in spec.m], [a.name for a in spec.n], [a.name for a in spec.k]) == (["m"], ["n"], ["k"])
    assert spec.epilogue[-1].__class__ is Store


def test_a_result_contiguous_in_m_swaps_the_factors() -> None:
    (spec,) = lowered(LINEAR, dims={"M": 4, "N": 5, "K": 6}, layouts={"y": (1, 4)}).specs
    assert isinstance(spec, Contract)
    assert ([a.name for a in spec.m], [a.name for a in spec.n]) == (["n"], ["m"])


def test_convolution_norm_residual_and_relu_are_one_contraction() -> None:
    dims = dict(N=1, C=4, H=5, W=5, O=6, R=3, S=3, P=5, Q=5)
    (spec,) = lowered(CONV_BN, dims=dims).specs
    assert isinstance(spec, Contract)
    scale = next(s for s in spec.epilogue if isinstance(s, Let) and s.name == "scale")
    assert scale.axes == ("o",)


def test_channels_last_orders_the_axes_of_a_convolution() -> None:
    dims = dict(N=1, C=4, H=5, W=5, O=6, R=3, S=3, P=5, Q=5)
    layouts = {"x": (100, 1, 20, 4), "w": (1, 6, 72, 24), "y": (150, 1, 30, 6), "z": (150, 1, 30, 6)}
    (spec,) = lowered(CONV_BN, dims=dims, layouts=layouts).specs
    assert isinstance(spec, Contract)
    assert [a.name for a in spec.n] == ["o"]
    assert [a.name for a in spec.m] == ["n", "p", "q"]
    assert [a.name for a in spec.k] == ["r", "s", "c"]


def test_two_products_are_two_contractions_joined_by_a_workspace() -> None:
    graph = lowered(MLP, dims=dict(M=3, K=4, H=5, N=6), types={"T": "f16"})
    assert [type(s) for s in graph.specs] == [Contract, Contract]
    assert [(w.name, w.dtype) for w in graph.workspaces] == [("u", "f16")]


def test_a_grouped_convolution_is_a_batch_of_contractions() -> None:
    (spec,) = lowered(GROUPED, dims=dict(N=2, C=6, D=3, W=9, O=4, S=3), attrs={"groups": 2}).specs
    assert isinstance(spec, Contract)
    assert [a.name for a in spec.batch] == ["o_group"]


def test_a_depthwise_convolution_is_a_reduction() -> None:
    assert kinds(GROUPED, dims=dict(N=2, C=4, D=1, W=9, O=4, S=3), attrs={"groups": 4}) == ["Reduce"]


def test_what_is_read_at_other_indices_is_put_into_memory() -> None:
    graph = lowered(RELU_POOL, dims={"H": 8})
    assert [type(s) for s in graph.specs] == [Map, Reduce]
    assert [w.name for w in graph.workspaces] == ["u"]


def test_a_machine_that_refuses_a_fused_group_gets_two_kernels() -> None:
    def only_bare_sums(spec: object) -> bool:
        return not isinstance(spec, Contract) or all(s.name == spec.acc for s in spec.epilogue if isinstance(s, Let))

    graph = lowered(LINEAR, dims={"M": 4, "N": 5, "K": 6}, accepts=only_bare_sums)
    assert [type(s) for s in graph.specs] == [Contract, Map]
    assert [(w.name, w.dtype) for w in graph.workspaces] == [("a", "f32")]


def test_elements_that_a_row_makes_anyway_are_stored_with_it() -> None:
    """A sum that is normalised and kept: nothing is read twice."""
    text = """op f(x: T[R, C], z: T[R, C]) -> (y: T[R, C], total: T[R, C]) for T in (f32) {
  t[r, c]     = x[r, c] + z[r, c]
  ms[r]       = sum[c](t[r, c] * t[r, c])
  y[r, c]     = t[r, c] / sqrt(ms[r])
  total[r, c] = 2 * t[r, c]
}"""
    (spec,) = lowered(text, dims={"R": 4, "C": 6}).specs
    assert isinstance(spec, Reduce)
    assert [s.tensor for s in spec.steps if isinstance(s, Store)] == ["y", "total"]


def test_elements_of_inputs_alone_go_to_no_row() -> None:
    """What a row makes one of is no element that it has."""
    text = """op f(x: T[R, C], w: T[R]) -> (m: T[R], y: T[R, C]) for T in (f32) {
  u[r]    = w[r] + 1
  m[r]    = max[c](x[r, c]) * u[r]
  y[r, c] = x[r, c] * u[r]
}"""
    assert kinds(text, dims={"R": 4, "C": 6}) == ["Reduce", "Map"]


def test_what_rows_need_of_a_small_sum_is_made_before_them() -> None:
    text = """op f(x: T[R, C], v: T[R]) -> (y: T[R, C]) for T in (f32) {
  hi[r]   = max[c](x[r, c])
  n[]     = sum[r](v[r])
  e[r, c] = exp(x[r, c] - hi[r])
  d[r]    = sum[c](e[r, c]) * n[]
  y[r, c] = e[r, c] / d[r]
}"""
    graph = lowered(text, dims={"R": 4, "C": 6})
    assert [sorted(a.name for a in spec.cols) for spec in graph.specs if isinstance(spec, Reduce)] == [["r"], ["c"]]
    assert [w.name for w in graph.workspaces] == ["n"]

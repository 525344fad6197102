"""A Pack kernel: channels last, padded to a multiple of 8 with the fill."""

from __future__ import annotations

import numpy as np
import pytest

from uol.backends import registry
from uol.backends.twin.run import execute
from uol.codegen.choice import compile_graph
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg, Pack, Read, Store, Within
from uol.ir.program.nodes import Axis, Call, Const, Expr, Var

N, C, H, W, PADDED = 2, 5, 4, 6, 8


def idx(fn: str, a: Expr, b: Expr | int) -> Call:
    return Call(fn, (a, Const(b) if isinstance(b, int) else b), "idx")


def horner(*terms: tuple[Expr, int]) -> Expr:
    total, _ = terms[0]
    for value, extent in terms[1:]:
        total = idx("+", idx("*", total, extent), value)
    return total


def shape(*extents: int) -> tuple[Const, ...]:
    return tuple(Const(e) for e in extents)


def pack_graph() -> KernelGraph:
    n, h, w, c = (Var(name) for name in "nhwc")
    args = (
        Arg("x", "f16", shape(N, C, H, W), shape(C * H * W, H * W, W, 1), "in"),
        Arg("y", "f16", shape(N, H, W, PADDED), shape(H * W * PADDED, W * PADDED, PADDED, 1), "out"),
    )
    read_strides = tuple(zip("nhwc", shape(C * H * W, W, 1, H * W), strict=True))
    value = Read(
        "x", horner((n, N), (c, C), (h, H), (w, W)), read_strides, (Within(c, None, Const(C)),), Const(0.0, "f16"), "f16"
    )
    strides = tuple(zip("nhwc", shape(H * W * PADDED, W * PADDED, PADDED, 1), strict=True))
    store = Store("y", horner((n, N), (h, H), (w, W), (c, PADDED)), strides, value, "f16", ("n", "h", "w", "c"), 1)
    axes = tuple(Axis(name, Const(extent)) for name, extent in zip("nhwc", (N, H, W, PADDED), strict=True))
    spec = Pack("pack_x", args, (), (), (), "op pack_x", index=axes, steps=(store,))
    return KernelGraph("pack_x", (spec,), args, (), (), (), "op pack_x")


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_a_pack_moves_and_fills(target: str) -> None:
    backend = registry.get(target)
    module = compile_graph(pack_graph(), backend, backend.devices[backend.default_device])
    x = np.random.default_rng(0).standard_normal((N, C, H, W)).astype(np.float16)
    run = execute(module, {"x": x})
    assert not run.findings, f"{run.findings}\n{module.device.text}"
    expected = np.zeros((N, H, W, PADDED), np.float16)
    expected[..., :C] = x.transpose(0, 2, 3, 1)
    assert np.array_equal(run.outputs["y"], expected)
    assert "y_vec.at[v] = x_at0 < 5 ? x[((n * 5 + x_at0) * 4 + h) * 6 + w] : uol::f16(0.0f);" in module.device.text

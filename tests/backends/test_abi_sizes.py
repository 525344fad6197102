"""Sizes in a C interface: expressions as C, against what they come to."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from uol.backends.abi.interface import TEMPLATES, c_text, conditions, dim_rows, untold_dims
from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import Arg
from uol.ir.errors import UolError
from uol.ir.program.nodes import Call, Const, Expr, Var
from uol.ir.types import INDEX

N, M = Var("N"), Var("M")


def call(fn: str, *args: Expr) -> Call:
    return Call(fn, args, INDEX)


EXPRESSIONS = (
    call("-", N, call("-", M, Const(3))),
    call("*", call("+", N, M), call("-", N, M)),
    call("/", call("-", N, Const(4)), M),
    call("%", call("-", N, Const(4)), M),
    call("/", call("neg", N), call("-", M, Const(2))),
    call("%", N, call("-", M, Const(2))),
    call("min", N, call("max", M, Const(2))),
    call("and", call("<=", N, M), call("not", call("==", M, Const(3)))),
    call("or", call(">", N, M), call("!=", N, Const(1))),
    call("and", call("or", call("<", N, Const(1)), call(">=", M, Const(2))), call(">", N, Const(0))),
)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_computes_what_the_expressions_come_to(tmp_path: Path) -> None:
    helpers = [line for line in (TEMPLATES / "floor.j2").read_text().splitlines() if "static inline" in line]
    functions = [
        f"int64_t f{i}(int64_t N, int64_t M) {{ return {c_text(e, {'N': 'N', 'M': 'M'})}; }}" for i, e in enumerate(EXPRESSIONS)
    ]
    text = "\n".join(["#include <stdint.h>", *helpers, 'extern "C" {', *functions, "}", ""])
    (tmp_path / "sizes.cpp").write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "sizes.so", "sizes.cpp"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "sizes.so"))
    for number, expression in enumerate(EXPRESSIONS):
        function = getattr(library, f"f{number}")
        function.argtypes, function.restype = (ctypes.c_int64, ctypes.c_int64), ctypes.c_int64
        for n, m in itertools.product(range(8), repeat=2):
            assert function(n, m) == value_at(expression, {"N": n, "M": m}), (expression, n, m)


def test_what_is_no_expression_over_sizes_is_refused() -> None:
    with pytest.raises(UolError, match=r"exp\(N\) is no expression over sizes"):
        c_text(call("exp", N), {"N": "N"})


def graph(*shapes: tuple[Expr, ...], facts: tuple[Expr, ...] = (), checks: tuple[Expr, ...] = ()) -> KernelGraph:
    args = tuple(Arg(f"x{i}", "f32", shape, shape, "in") for i, shape in enumerate(shapes))
    return KernelGraph("op", (), args, (), (), ("M", "N"), "", checks, facts)


def test_a_dim_is_read_off_the_first_tensor_that_has_it() -> None:
    rows = dim_rows(graph((Const(3), N), (call("*", M, Const(2)), M, N)))
    assert [(r.name, r.tensor, r.axis) for r in rows] == [("M", 1, 1), ("N", 0, 1)]
    assert untold_dims(graph((N, call("*", M, Const(2))))) == ("M",)


def test_conditions_are_those_over_sizes() -> None:
    """That no size is negative is checked of every tensor, and a run-time attribute is no size."""
    even = Call("==", (call("%", N, Const(2)), Const(0)), "bool")
    natural = Call(">=", (N, Const(0)), "bool")
    positive = Call(">", (Var("eps", "f32"), Const(0.0, "f32")), "bool")
    assert conditions(graph((N, M), facts=(natural, even), checks=(positive, even))) == (even,)

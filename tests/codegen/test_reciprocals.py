"""Quotients by a row's sum of exponentials less their greatest become products with its reciprocal; no others do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.backends import registry
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Fold, Let, Reduce
from uol.codegen.specs.reciprocals import with_reciprocals
from uol.codegen.specs.traverse import expressions, steps_of
from uol.ir import Library, instantiate, parse
from uol.ir.program.nodes import Call, Const, Var
from uol.ir.program.walk import walk

HEAD = "op f(x: {t}[R, C], w: {t}[R, C]) -> (y: {t}[R, C]) where C > 0 {{\n{body}\n}}"
SOFTMAX = """  hi[r]   = max[c](acc(x[r, c]))
  e[r, c] = exp(acc(x[r, c]) - hi[r])
  z[r]    = sum[c](e[r, c])
  y[r, c] = T(e[r, c] / z[r])"""


def spec_of(body: str, dtype: str = "f32") -> Reduce:
    ops = parse(HEAD.format(t=dtype, body=body.replace("T(", f"{dtype}(")))
    graph = lower(instantiate(ops[0], Library(ops), dims={"R": 5, "C": 7}, types={}), registry.get("cuda"), {})
    (spec,) = graph.specs
    assert isinstance(spec, Reduce)
    return spec


def quotients(spec: Reduce) -> list[Call]:
    return [node for e in expressions(spec) for node in walk(e) if isinstance(node, Call) and node.fn == "/"]


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_softmax_has_one_quotient_a_row(dtype: str) -> None:
    found = with_reciprocals(spec_of(SOFTMAX, dtype))
    (one,) = quotients(found)
    (let,) = (step for step in steps_of(found) if isinstance(step, Let) and step.value == one)
    assert one.args == (Const(1.0, let.dtype), Var("z", let.dtype))
    assert (let.name, let.axes, let.dtype) == ("z_inv", ("r",), "f64" if dtype == "f64" else "f32")
    products = [n for e in expressions(found) for n in walk(e) if isinstance(n, Call) and n.fn == "*" and n.dtype == let.dtype]
    assert [product.args[1] for product in products] == [Var("z_inv", let.dtype)]


UNTOUCHED = {
    "a sum of anything": SOFTMAX.replace("exp(acc(x[r, c]) - hi[r])", "acc(x[r, c]) - hi[r]"),
    "exponentials less another maximum": SOFTMAX.replace("max[c](acc(x[r, c]))", "max[c](acc(w[r, c]))"),
    "exponentials less a minimum": SOFTMAX.replace("max[c]", "min[c]"),
    "exponentials of twice that": SOFTMAX.replace("exp(acc(x[r, c]) - hi[r])", "exp(2 * (acc(x[r, c]) - hi[r]))"),
    "a square": SOFTMAX.replace("/ z[r]", "/ (z[r] * z[r])"),
}


@pytest.mark.parametrize("case", UNTOUCHED)
def test_other_quotients_stay(case: str) -> None:
    spec = spec_of(UNTOUCHED[case])
    assert quotients(spec)
    assert with_reciprocals(spec) == spec


@pytest.mark.parametrize("name", ["hi", "z"])
def test_folds_of_some_of_the_columns_say_nothing(name: str) -> None:
    """The greatest of some is not the greatest of all, and of some none may be it."""
    spec, some = spec_of(SOFTMAX), Call("<", (Var("c"), Const(3)), "bool")
    steps = (replace(s, where=(some,)) if isinstance(s, Fold) and s.name == name else s for s in spec.steps)
    partial = replace(spec, steps=tuple(steps))
    assert partial != spec
    assert with_reciprocals(partial) == partial


def test_the_reciprocal_has_a_name_of_its_own() -> None:
    body = SOFTMAX.replace("  z[r] ", "  z_inv[r] = sum[c](acc(w[r, c]))\n  z[r] ").replace("/ z[r]", "/ z[r] + z_inv[r]")
    found = with_reciprocals(spec_of(body))
    assert [step.name for step in steps_of(found) if isinstance(step, Let) and step.value in quotients(found)] == ["z_inv_"]

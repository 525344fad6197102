"""Contraction, softmax, contraction is one kernel where nothing else reads the scores, and the kernels that it was else.

Every lowering is run over all its points by the spec interpreter, against the golden value.
"""

from __future__ import annotations

import pytest
from attention_cases import FORWARD, GRADIENTS, SIZES, attention_case, text_of
from every_floor import meanings_agree, ready
from middle import lowered, run
from spec_interpreter import EVERY_KIND
from turns import by_turns

from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Reduce

DIMS = dict(zip("BHGLMDE", (2, 4, 2, 5, 7, 3, 6), strict=True))
HEAD = "op f(q: T[B, L, D], k: T[B, M, D], v: T[B, M, E]{more}) -> (y: T[B, L, E]{results}) for T in (f64, f32) {{"
SCORES = " s[b, i, j] = sum[d](q[b, i, d] * k[b, j, d]) "
SOFTMAX = " hi[b, i] = max[j](s[b, i, j]) p[b, i, j] = exp(s[b, i, j] - hi[b, i]) z[b, i] = sum[j](p[b, i, j]) "
SUMS = " y[b, i, e] = sum[j](p[b, i, j] * v[b, j, e]) / z[b, i] "
PLAIN = dict(zip("BLMDE", (2, 5, 7, 3, 6), strict=True))


def kinds_of(text: str, dims: dict[str, int] = DIMS, **given: object) -> list[type[KernelSpec]]:
    return [type(s) for s in lowered(text, kinds=EVERY_KIND, dims=dims, **given).specs]  # type: ignore[arg-type]


def written(body: str, more: str = "", results: str = "") -> str:
    return HEAD.format(more=more, results=results) + body + "}"


@pytest.mark.parametrize("name", FORWARD)
def test_the_library_s_attentions_are_one_kernel(name: str) -> None:
    dims = {n: v for n, v in DIMS.items() if f"{n}" in text_of(name)}
    (spec,) = lowered(text_of(name), kinds=EVERY_KIND, dims=dims).specs
    assert isinstance(spec, Attention)
    assert not [a for a in spec.args if a.role == "workspace"]
    assert [a.name for a in spec.batch] == ["b", "h_group"]
    assert [a.name for a in spec.rows] == ["h_in", "i"]  # the heads that share a key are rows of one product
    assert spec.hi is not None


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_from_the_log_sum_exp_are_two_kernels_and_a_row_sum(name: str) -> None:
    graph = lowered(text_of(f"{name}_by_lse"), kinds=EVERY_KIND, dims=DIMS)
    delta, dq, dkv = graph.specs
    assert isinstance(delta, Reduce)
    assert isinstance(dq, Attention)
    assert isinstance(dkv, Attention)
    assert [w.name for w in graph.workspaces] == ["delta"]
    assert (dq.hi, dkv.hi) == (None, None)
    assert [a.name for a in dkv.rows] == ["j"]
    assert [a.name for a in dkv.cols] == ["t", "i"]
    assert [len(dq.sums), len(dkv.sums)] == [1, 2]


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_library_s_gradients_are_two_attentions(name: str, groups: int) -> None:
    """Heads that share a key are further cols of its gradient; a head that has its own is one of the batch."""
    text = text_of(f"{name}_grad")
    dims = {n: v for n, v in {**DIMS, "G": groups}.items() if f"{n}" in text}
    found = [s for s in lowered(text, kinds=EVERY_KIND, dims=dims).specs if isinstance(s, Attention)]
    if name == "biased_attention":  # the gradient of the bias reads the scores as well
        assert not found
        return
    assert [len(s.sums) for s in found] == [1, 2]
    assert [a.name for a in found[1].cols] == (["i"] if groups == 4 else ["t", "i"])


def test_gradients_that_sum_the_exponentials_themselves_wait_for_that() -> None:
    text = written(SCORES + SOFTMAX + " q2[b, i, j] = p[b, i, j] / z[b, i] y[b, i, e] = sum[j](q2[b, i, j] * v[b, j, e]) ")
    assert Attention not in kinds_of(text, PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        SCORES + SOFTMAX + SUMS + " o[b, i, j] = p[b, i, j] * 2 ",
        SCORES + SOFTMAX + SUMS + " o[b, i, j] = s[b, i, j] ",
        SCORES + SOFTMAX + SUMS + " o[b, i, j] = p[b, i, j] / z[b, i] ",
    ],
)
def test_scores_that_are_wanted_elsewhere_are_in_memory(body: str) -> None:
    assert Attention not in kinds_of(written(body, results=", o: T[B, L, M]"), PLAIN)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (SCORES + SOFTMAX + SUMS, ""),
        (SCORES + SOFTMAX + " y[b, i, e] = sum[j](v[b, j, e] * p[b, i, j]) / max(z[b, i], 1) ", ""),
        (SCORES.replace(")", ") * r[b, i] + c[b, j]") + SOFTMAX + SUMS, ", r: T[B, L], c: T[B, M]"),
        (SCORES.replace(")", ") * (r[b, i] + c[b, j])") + SOFTMAX + SUMS, ", r: T[B, L], c: T[B, M]"),
        (SCORES + SOFTMAX + SUMS.replace("/", "* g[e] + x[b, i, e] /"), ", g: T[E], x: T[B, L, E]"),
        (SCORES + SOFTMAX + " w[b, j, e] = v[b, j, e] + 1 y[b, i, e] = sum[j](p[b, i, j] * w[b, j, e]) ", ""),
    ],
)
def test_what_fuses_is_right(body: str, more: str) -> None:
    text = written(body, more)
    assert Attention in kinds_of(text, PLAIN)
    run(text, dims=PLAIN, types={"T": "f64"}, kinds=EVERY_KIND)


@pytest.mark.parametrize(
    "body",
    [
        SCORES + " y[b, i, e] = sum[j](s[b, i, j] * v[b, j, e]) ",  # no softmax
        SCORES + " p[b, i, j] = s[b, i, j] / (1 + exp(-s[b, i, j])) y[b, i, e] = sum[j](p[b, i, j] * v[b, j, e]) ",
        SCORES + SOFTMAX.replace("s[b, i, j] - hi", "2 * s[b, i, j] - hi") + SUMS,  # relative to no bound of its exponents
        SCORES + SOFTMAX + " w[b, i, j] = p[b, i, j] + 1 y[b, i, e] = sum[j](w[b, i, j] * v[b, j, e]) / z[b, i] ",
        SCORES + SOFTMAX.replace("max[j](", "max[j](0 - ") + SUMS,
    ],
)
def test_what_is_no_softmax_stays_apart(body: str) -> None:
    text = written(body)
    assert Attention not in kinds_of(text, PLAIN)
    run(text, dims=PLAIN, types={"T": "f64"}, kinds=EVERY_KIND)


def test_the_log_sum_exp_is_stored_beside_the_result() -> None:
    text = written(SCORES + SOFTMAX + SUMS + " lse[b, i] = hi[b, i] + log(z[b, i]) ", results=", lse: T[B, L]")
    assert kinds_of(text, PLAIN) == [Attention]
    run(text, dims=PLAIN, types={"T": "f64"}, kinds=EVERY_KIND)


def test_a_run_time_attribute_scales_the_scores() -> None:
    text = written(SCORES.replace(")", ") * scale") + SOFTMAX + SUMS).replace(") -> ", "; scale: float = 1.0) -> ")
    (spec,) = lowered(text, kinds=EVERY_KIND, dims=PLAIN).specs
    assert isinstance(spec, Attention)
    assert [s.name for s in spec.scalars] == ["scale"]
    run(text, dims=PLAIN, types={"T": "f64"}, scalars={"scale": 0.5}, kinds=EVERY_KIND)


@pytest.mark.parametrize("width", ["n", "d", "j"])
def test_a_second_sum_may_have_an_index_of_any_name(width: str) -> None:
    """`d` is the depth of the dots elsewhere, `j` the cols of the first sum."""
    second = f" o[b, i, {width}] = sum[m](p[b, i, m] * w[b, m, {width}]) "
    text = written(SCORES + SOFTMAX + SUMS + second, more=", w: T[B, M, N]", results=", o: T[B, L, N]")
    dims = {**PLAIN, "N": 4}
    assert kinds_of(text, dims) == [Attention]
    run(text, dims=dims, types={"T": "f64"}, kinds=EVERY_KIND)


def test_a_machine_may_refuse() -> None:
    graph = lowered(text_of("attention"), kinds=EVERY_KIND, dims=DIMS, accepts=lambda s: not isinstance(s, Attention))
    assert [type(s) for s in graph.specs] == [Contract, Reduce, Contract]


def test_an_operand_may_be_made_by_another_kernel() -> None:
    text = written(" w[b, j, d] = exp(max[e](v[b, j, e])) * k[b, j, d] " + SCORES.replace("k[", "w[") + SOFTMAX + SUMS)
    assert kinds_of(text, PLAIN)[-1] is Attention
    run(text, dims=PLAIN, types={"T": "f64"}, kinds=EVERY_KIND)


@pytest.mark.parametrize(
    ("name", "special"),
    by_turns(5, ["bare", *FORWARD, *(f"{n}_by_lse" for n in GRADIENTS)], ["", "nan", "inf", "low", "late"]),
)
def test_specs_mean_what_the_text_means(name: str, special: str) -> None:
    for sizes in SIZES if not special else ("wide",):
        if sizes not in ("whole", "tall"):  # the interpreter takes all axes at once
            case = ready(attention_case(name, sizes, special=special))
            assert case is not None
            meanings_agree(case)

"""Operators on targets: half of a core on every target, in f32 or f16; of the others, by turns, a few; a quarter here, and
all by kernels of any size.

An awkward workload in each type; inputs and memory orders by turns. The rest is for `make soak`.
`python -m uol.conformance.support` takes all operators on all targets, with all workloads,
all kinds of inputs and all memory orders.
"""

from __future__ import annotations

import pytest
from turns import by_turns

from uol.backends import registry
from uol.conformance.cases.case_matrix import CAST_PAIRS, quick_cases, types_of
from uol.conformance.cases.twin_check import check, has_twin
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.support import Cell, support_matrix
from uol.ops.inputs import kinds
from uol.ops.texts import FAMILIES, family_of, names
from uol.ops.workloads import Workload, workloads_of

CORE = (
    *("relu", "gelu", "silu", "sigmoid", "tanh", "exp", "add", "sub", "mul", "div", "softmax", "argmax"),
    *("linear", "linear_relu", "matmul", "conv2d", "conv2d_bias", "conv2d_bn", "conv2d_bn_relu", "conv2d_bn_add_relu"),
    *("batch_norm", "layer_norm", "rms_norm", "max_pool2d", "avg_pool2d", "global_avg_pool2d"),
)
OTHERS = tuple(n for n in names() if n not in CORE and n != "cast")
HOSTS = tuple(t for t in registry.names() if not has_twin(t))
SAMPLE = 80
"""One in so many of the other operators is tried in a twin."""


@pytest.mark.parametrize(("eighth", "dtype", "target"), by_turns(8, range(8), ["f32", "f16"], registry.names()))
def test_operators_keep_their_contract(eighth: int, dtype: str, target: str) -> None:
    turn = registry.names().index(target) + (dtype == "f16")
    both = [quick_cases(op, target, dtype, turn + number) for number, op in enumerate(CORE)]
    cases = [pair[(number // 2 + turn) % 2] for number, pair in enumerate(both)]
    assert not wrong(check(cases[eighth::8]))


@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize("target", [t for t in registry.names() if has_twin(t)])
def test_a_few_others_keep_theirs_or_are_refused(target: str, dtype: str) -> None:
    turn = 2 * registry.names().index(target) + (dtype == "f16")
    types = {op: (*types_of(op, [dtype]), *types_of(op, ["f32"]))[0] for op in OTHERS[turn::SAMPLE]}
    cases = [case for op, chosen in types.items() for case in quick_cases(op, target, chosen, turn)]
    assert not wrong(check(cases), may_refuse=True)


@pytest.mark.parametrize(("eighth", "family"), by_turns(8, range(8), FAMILIES))
@pytest.mark.parametrize("target", HOSTS)
def test_all_keep_theirs_on_this_machine(target: str, eighth: int, family: str) -> None:
    """On an awkward workload."""
    ops = [op for op in OTHERS if family_of(op) == family][eighth::8]
    cases = [Case(op, target, types_of(op, ["f32"])[0], workloads_of(op)[-1], kinds(op)[-1]) for op in ops]
    assert not wrong(check(cases))


@pytest.mark.parametrize(("eighth", "family"), by_turns(8, range(8), FAMILIES))
@pytest.mark.parametrize("target", HOSTS)
def test_all_keep_theirs_by_kernels_of_any_size(target: str, eighth: int, family: str) -> None:
    """All dims of a workload are arguments: kernels that no fixed sizes have."""
    ops = [op for op in names() if op != "cast" and family_of(op) == family][eighth::8]
    cases = [Case(op, target, types_of(op, ["f32"])[0], workloads_of(op)[0], sizes="open") for op in ops]
    assert not wrong(check(cases))


@pytest.mark.parametrize(("op", "target"), by_turns(2, ["masked_attention", "attention_grad"], ["cuda", "hip"]))
def test_attention_of_any_size_keeps_its_own_beside_plain_loops(op: str, target: str) -> None:
    """Whose rows of dots are then as long as an argument says."""
    assert not wrong(check([Case(op, target, "f32", workloads_of(op)[0], sizes="open")]))


def wrong(verdicts: list[Verdict], *, may_refuse: bool = False) -> str:
    """What is not as it should be, line by line."""
    bad = [v for v in verdicts if not v.ok and not (may_refuse and v.status == "refused" and v.reason)]
    return "\n".join(f"{v.case}: {v.status}: {v.reason}" for v in bad)


@pytest.mark.parametrize("target", registry.names())
def test_casts_keep_their_contract(target: str) -> None:
    workload = Workload("cast", {"S": (7, 33)})
    pairs = [p for p in CAST_PAIRS if "64" not in p]
    assert not wrong(check([Case("cast", target, pair, workload, "special") for pair in pairs]))


@pytest.mark.parametrize(
    ("target", "op"),
    by_turns(
        2,
        [t for t in registry.names() if has_twin(t)],
        ["unique", "floor_divide", "histogram", "moe_permute", "dropout"],
    ),
)
def test_a_target_takes_an_operator_in_some_type(target: str, op: str) -> None:
    """Those that compute with integers, which are the ones that a machine may lack."""
    dtypes = types_of(op, ("f32", "i32"))
    assert check([Case(op, target, dtypes[0], workloads_of(op)[0])])[0].ok


@pytest.mark.soak
@pytest.mark.parametrize("op", names())
@pytest.mark.parametrize("target", registry.names())
def test_a_target_takes_every_operator_in_some_type(target: str, op: str) -> None:
    """`support` lists what is refused; here nothing is refused in every type."""
    dtypes = types_of(op, ("f32", "i32"))
    assert any(v.ok for v in check([Case(op, target, dtype, workloads_of(op)[0]) for dtype in dtypes]))


def test_a_check_goes_through_twin_reference_and_oracle() -> None:
    (verdict,) = check([Case("softmax", "cuda", "f16", Workload("softmax", {"S": (3,), "C": 33}), "exact")])
    assert verdict.ok, verdict.reason
    assert has_twin("cuda")
    assert not has_twin("cpu")
    for comparison in (verdict.golden, verdict.reference, verdict.oracle):
        assert comparison is not None
        assert comparison.ok
        assert comparison.elements == 99
    assert verdict.counts["global_load_bytes"] > 0
    record = verdict.record()
    assert record["workload"] == "softmax[S=3, C=33]"
    assert record["status"] == "pass"


def test_what_cannot_be_is_a_verdict_with_its_reason() -> None:
    (verdict,) = check([Case("softmax", "cuda", "i32", Workload("softmax", {"S": (3,), "C": 33}))])
    assert verdict.status == "failed"
    assert "does not admit 'i32'" in verdict.reason


def test_the_matrix_follows_from_verdicts() -> None:
    case = Case("relu", "cuda", "f32", Workload("relu", {"S": (1,)}))
    states = {
        ("pass", "pass"): "supported",
        ("pass", "refused"): "partly",
        ("refused", "refused"): "refused",
        ("pass", "breach"): "wrong",
        ("refused", "findings"): "wrong",
        ("failed", "failed"): "wrong",
    }
    for statuses, state in states.items():
        (cell,) = support_matrix([Verdict(case, s, "why") for s in statuses])  # type: ignore[arg-type]
        assert isinstance(cell, Cell)
        assert cell.state == state
        assert cell.cases == 2

"""Mutants of emitted kernels are judged: planted faults die, clean kernels are clean, and what lives must be explained."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from turns import by_turns

from uol.backends import registry
from uol.conformance.cases.twin_check import has_twin, prepare
from uol.conformance.cases.verdict import Case
from uol.conformance.mutation import judge
from uol.conformance.mutation.golden import GOLDEN, cases_of_sizes, golden_cases, is_judged, mutated_cases, segments_of
from uol.conformance.mutation.judge import (
    Judged,
    MutationReport,
    Proof,
    Trial,
    judge_mutants,
    judged_mutants,
    kernel_at,
    kernel_name,
    proofs,
)
from uol.conformance.mutation.mutate import Mutant
from uol.ir.errors import UolError
from uol.ops.workloads import Workload

TARGETS = [n for n in registry.names() if has_twin(n)]
SMALL = {
    "softmax": Workload("softmax", {"S": (5,), "C": 77}),
    "linear_relu": Workload("linear_relu", {"S": (17,), "N": 19, "K": 21}),
    "max_pool2d": Workload("max_pool2d", {"N": 1, "C": 3, "H": 7, "W": 9}, {"kernel": 3, "stride": 2, "pad": 1}),
}


@pytest.mark.parametrize(("op", "target"), by_turns(2, list(SMALL), TARGETS))
def test_no_synchronisation_can_be_dropped(op: str, target: str) -> None:
    report = judge_mutants([Case(op, target, "f32", SMALL[op])], keep=lambda m: m.kind == "sync")
    alive = [f"{m.kernel}:{m.line}: {m.description}" for m in report.alive]
    assert not alive


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_no_guard_can_be_dropped(target: str) -> None:
    report = judge_mutants([Case("linear_relu", target, "f32", SMALL["linear_relu"])], keep=lambda m: m.kind == "guard")
    assert not [m.description for m in report.alive]


@pytest.mark.parametrize(("op", "target"), by_turns(5, ["matmul", "layer_norm", "cumsum", "attention"], ["cuda", "hip"]))
def test_a_dropped_value_of_an_accumulator_is_a_finding_that_names_it(op: str, target: str) -> None:
    case = next(c for c in golden_cases([target], ["f16", "f32"]) if c.op == op)
    accumulates = re.compile(r"^float (\w*(?:sum|value|z|hi|m)\w*)\S* = .*  =>  float \1[^=]*;")
    report = judge_mutants([case], keep=lambda m: m.kind == "dropped" and accumulates.match(m.description) is not None)
    assert report.mutants
    for mutant in report.mutants:
        name = re.match(accumulates, mutant.description)
        assert name is not None
        assert mutant.fate == "findings", mutant
        assert f"uninitialised-local: `{name[1]}` is used before it has a value" in mutant.reason


def a_few(case: Case) -> Callable[[Mutant], bool]:
    """Admits every so-many-th mutant of a case, three or four."""
    seen = 0
    step = len(judged_mutants(case, prepare(case).compiled.module.device.text)) // 3

    def admit(_: Mutant) -> bool:
        nonlocal seen
        seen += 1
        return seen % step == 0

    return admit


MUTATED = [golden for golden in GOLDEN if golden.mutated]


@pytest.mark.parametrize("number", by_turns(9, range(len(MUTATED))), ids=lambda n: MUTATED[n].op)
def test_a_sample_of_the_golden_kernels_mutants_dies(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "TIMEOUT_S", 2.0)  # of the processor; a clean kernel takes a tenth of it
    golden = MUTATED[number]
    targets = [name for name in TARGETS if golden.on(name)]
    target = targets[number // 3 % len(targets)]
    case = next(c for c in mutated_cases([target]) if golden.has(c))
    report = judge_mutants([case], keep=a_few(case)).explained()
    assert len(report.mutants) in (3, 4)
    assert not [f"{m.kernel}:{m.line}: {m.description}" for m in report.unexplained]


def test_fates_name_what_killed_a_mutant() -> None:
    case = Case("linear_relu", "cuda", "f16", SMALL["linear_relu"])
    report = judge_mutants([case], keep=lambda m: m.kind in ("cast", "sync"))
    fates = {m.fate for m in report.mutants}
    assert {"compiler", "findings", "contract"} >= fates
    assert "findings" in fates
    assert all(m.reason for m in report.mutants if m.fate != "survived")


def test_a_kernel_that_breaks_its_contract_is_not_taken_for_clean() -> None:
    trial = Trial.of(Case("relu", "cuda", "f32", Workload("relu", {"S": (65,)})))
    text = trial.module.device.text
    assert trial.counts["global_loads"] == 65
    from uol.backends.twin import execute_many

    (clean, broken) = execute_many([trial.job(text), trial.job(text.replace("0.0f", "0.5f"))])
    assert trial.breach(clean) is None
    assert trial.other_work(clean) is None
    reason = trial.breach(broken)
    assert reason is not None
    assert "beyond the contract" in reason


def test_a_report_counts_the_living() -> None:
    def one(fate: str) -> Judged:
        return Judged("cuda relu f32", "guard", fate, 1, "a => b", fate, "")  # type: ignore[arg-type]

    report = MutationReport(tuple(map(one, ("findings", "contract", "equivalent", "survived"))))
    assert report.rate == 0.5
    assert [m.fate for m in report.unexplained] == ["survived"]
    record = report.record()
    assert record["fates"] == {"findings": 1, "contract": 1, "equivalent": 1, "survived": 1}
    assert record["kernels"] == {"cuda relu f32": record["fates"]}


def test_golden_kernels_are_mutated_on_every_target_with_a_twin() -> None:
    cases = mutated_cases(TARGETS)
    judged = [golden for golden in MUTATED for target in TARGETS if golden.on(target)]
    assert len(cases) == sum(len(golden.dtypes) for golden in judged)
    read_alone = {"mse_loss", *(f"{kind}_attention" for kind in ("biased", "sliding", "padded", "paged", "dropout"))}
    assert {c.op for c in golden_cases(TARGETS)} - {c.op for c in cases} == read_alone
    assert kernel_name(cases[0]) == f"{TARGETS[0]} add f32"
    assert {c.dtype for c in mutated_cases(TARGETS, ["f16"])} == {"f16"}
    assert {c.op for c in mutated_cases(TARGETS, ["f32"])} < {c.op for c in cases}


def test_segments_that_a_golden_case_is_judged_on_are_those_of_all_its_rows() -> None:
    (case,) = (c for c in mutated_cases(["cuda"]) if c.op == "grouped_matmul_grad")
    (rows,) = segments_of(case)
    assert 0 in rows
    given = judge._with_segments(prepare(case), rows)
    assert [int((given.values["expert"] == number - 1).sum()) for number in range(len(rows))] == list(rows)
    assert (given.buffers["expert"] == given.values["expert"]).all()
    with pytest.raises(UolError, match="segments of 599 rows together"):
        judge._with_segments(prepare(case), (*rows[:-1], rows[-1] - 1))


def test_rows_that_are_not_there_meet_values_that_are_not_zero() -> None:
    (case,) = (c for c in mutated_cases(["cuda"]) if c.op == "moe_swiglu_grad")
    plain = prepare(case)
    for rows in segments_of(case):
        given = judge._with_segments(plain, rows)
        src, before = given.values["src"], plain.values["src"]
        assert (given.buffers["src"] == src).all()
        assert not plain.values["a"][(before < 0) | (before >= 40)].any()
        assert given.values["a"][(src < 0) | (src >= 40)].any()
        assert {-1, 40, 2**32} <= set(src[given.values["expert"] >= 0].tolist())
        assert src.max() == 2**32


def test_mutants_of_those_kernels_are_judged_whose_form_no_other_golden_operator_has() -> None:
    (case,) = (c for c in mutated_cases(["cuda"]) if c.op == "moe_swiglu_grad")
    text = prepare(case).compiled.module.device.text
    judged = {kernel_at(text, m.line) for m in judged_mutants(case, text)}
    assert judged == {"moe_swiglu_grad_dr_sum2_kernel", "moe_swiglu_grad_dgate_sum_kernel"}
    (last,) = (c for c in mutated_cases(["cuda"]) if c.op == "matmul" and c.workload.dims["M"] == 97)
    assert is_judged(last, "") and is_judged(last, "matmul_kernel")


def test_a_golden_case_has_its_sizes_on_whatever_inputs() -> None:
    (case,) = (c for c in mutated_cases(["cuda"]) if c.op == "cummax")
    assert len(cases_of_sizes(case)) == len(cases_of_sizes(replace(case, inputs="exact", seed=3))) == 4
    assert cases_of_sizes(replace(case, sizes="fixed")) == (replace(case, sizes="fixed"),)


def test_proofs_of_equivalence_are_written_out_and_narrow() -> None:
    kernels = [kernel_name(c) for c in mutated_cases(TARGETS)]
    for proof in proofs():
        assert any(fnmatchcase(kernel, proof.kernels) for kernel in kernels), proof
        assert len(proof.reason) > 60, f"{proof.change}: a reason, not a word"
        assert "=>" in proof.change
        for other in ("__syncthreads(); dropped", "if (n < 7)  =>  if (true)", "y[i] = x[i * 3];  =>  y[i] = x[i * 4];"):
            assert not re.fullmatch(proof.change, other), proof


def test_a_proof_covers_what_it_names_and_nothing_else() -> None:
    def at(line: int, further: str = "", kernel: str = "cuda conv2d f16") -> Judged:
        return Judged(kernel, "constant", "", line, f"int slot = 0;  =>  int slot = 1;{further}", "survived", "")

    proof = Proof("cuda conv2d *", r"int slot = 0;  =>  int slot = 1;", "a reason")
    assert proof.covers(at(7))
    assert not proof.covers(at(7, kernel="hip conv2d f16"))
    assert not proof.covers(at(7, " // and more"))
    of_one_line = replace(proof, line=7)
    assert of_one_line.covers(at(7))
    assert not of_one_line.covers(at(8))


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_each_mutant_that_lives_is_proven_equivalent(target: str) -> None:
    report = judge_mutants(mutated_cases([target])).explained()
    assert not [f"{m.kernel} {m.key} {m.description}" for m in report.unexplained]

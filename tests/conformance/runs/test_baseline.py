"""A report beside an earlier one: what is new, lost, withdrawn and fixed, by the names of cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uol.conformance.cases.verdict import Case
from uol.conformance.runs.baseline import Baseline, Compared, read_baseline, results_of
from uol.conformance.runs.shards import Shard
from uol.ir.errors import ResourceError, UolError
from uol.ops.workloads import Workload

Report = dict[str, Any]
STATES = {"a": "passed", "b": "failed", "c": "refused", "d": "passed"}


def case(op: str, state: str, **others: object) -> Report:
    fields = {"target": "cuda:a100", "dtype": "f32", "workload": f"{op}[S=3]", "inputs": "random", "arrangement": "row-major"}
    return {"op": op, **fields, "seed": 0, "sizes": "fixed", "state": state, "reason": f"{op} {state}", **others}


def report(**states: str) -> Report:
    return {"kind": "operators", "cases": [case(op, state) for op, state in states.items()], "measured": []}


def compared(before: Report, now: Report) -> Compared:
    return Baseline("old.json", results_of(before)).compared(now)


def ops(changes: tuple[Any, ...]) -> list[str]:
    return [change.name.split()[1] for change in changes]


def test_nothing_has_changed() -> None:
    found = compared(report(**STATES), report(**STATES))
    assert found.ok
    assert found.summary == "beside old.json: 0 new failures, 0 lost, 0 withdrawn, 0 fixed, 1 failed as before"


@pytest.mark.parametrize(
    ("now", "kind", "which", "is_ok"),
    [
        ({"a": "failed"}, "new", ["a"], False),
        ({"c": "failed"}, "new", ["c"], False),
        ({"e": "failed"}, "new", ["e"], False),
        ({"d": "refused"}, "withdrawn", ["d"], False),
        ({"b": "passed"}, "fixed", ["b"], True),
        ({"b": "refused"}, "fixed", ["b"], True),
        ({"e": "passed"}, "new", [], True),
    ],
)
def test_what_has_changed(now: dict[str, str], kind: str, which: list[str], is_ok: bool) -> None:
    found = compared(report(**STATES), report(**{**STATES, **now}))
    others = {"new", "lost", "withdrawn", "fixed"} - {kind}
    assert ops(getattr(found, kind)) == which
    assert not any(getattr(found, other) for other in others)
    assert found.ok is is_ok


def test_a_case_that_is_gone_is_lost_whatever_it_was() -> None:
    found = compared(report(**STATES), report(a="passed"))
    assert [str(change) for change in found.lost] == [
        "cuda:a100: b f32 b[S=3] on random inputs; seed 0: it had failed",
        "cuda:a100: c f32 c[S=3] on random inputs; seed 0: it was refused",
        "cuda:a100: d f32 d[S=3] on random inputs; seed 0: it passed",
    ]
    assert not found.ok


def test_a_shard_has_lost_what_is_of_its_own_alone() -> None:
    many = {f"op{number}": "passed" for number in range(60)}
    before = Baseline("old.json", results_of(report(**many)))
    lost = [before.compared(report(), Shard(number, 3)).lost for number in (1, 2, 3)]
    assert sorted(ops(lost[0] + lost[1] + lost[2])) == sorted(many)
    assert all(len(each) < 40 for each in lost)


@pytest.mark.parametrize("sizes", ["fixed", "open"])
@pytest.mark.parametrize(("is_deterministic", "is_in_tf32"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("arrangement", ["row-major", "gaps"])
def test_a_report_names_a_case_as_the_case_names_itself(
    arrangement: Any, is_deterministic: bool, is_in_tf32: bool, sizes: Any
) -> None:
    workload, kernels = Workload("relu", {"S": 3}), (sizes, is_deterministic, is_in_tf32)
    own = Case("relu", "cuda:a100", "f16", workload, "exact", arrangement, 7, *kernels)
    how = {"arrangement": arrangement, "seed": 7, "sizes": sizes, "deterministic": is_deterministic, "tf32": is_in_tf32}
    record = case("relu", "passed", dtype="f16", inputs="exact", **how)
    ((name, result),) = results_of({"kind": "operators", "cases": [record], "measured": []}).items()
    assert (name, result.shard_name) == (f"cuda:a100: {own.name}", own.name)


def test_checks_layers_and_cards_of_a_path() -> None:
    layer = {"target": "hip", "op": "relu", "layers": ["a", "b"], "shape": "1x2", "status": "pass", "reason": ""}
    card = {"label": "cuda:h100: measured on Made Up 100", "cases": [{"name": "relu f32", "passed": True, "reason": ""}]}
    checks = [{"name": "logits", "ok": True, "detail": "fine"}]
    before = {"kind": "path", "path": "tiny", "checks": checks, "layers": [layer], "measured": [card]}
    now = json.loads(json.dumps(before).replace("true", "false").replace('"pass"', '"findings"'))
    found = compared(before, now)
    assert [change.name for change in found.new] == [
        "tiny: logits",
        "hip: a, relu 1x2",
        "cuda:h100: measured on Made Up 100: relu f32",
    ]


BROKEN = {
    "not json": "it is not JSON",
    "[]": "its kind is neither 'operators' nor 'path'",
    '{"kind": "training"}': "its kind is neither",
    '{"kind": "operators"}': "KeyError: 'cases'",
    '{"kind": "operators", "cases": [1], "measured": []}': "TypeError",
    '{"kind": "path", "path": "x", "checks": {}, "layers": null, "measured": []}': "TypeError",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_report_is_a_message(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(UolError, match=r"report\.json' is no report: ") as error:
        read_baseline(path)
    assert BROKEN[text] in error.value.message
    with pytest.raises(ResourceError, match="cannot read"):
        read_baseline(tmp_path / "absent.json")

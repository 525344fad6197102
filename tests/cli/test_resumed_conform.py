"""`uol conform --resume`, `--shard`, `--merge`: what was killed goes on, what has not changed is taken over, shards add up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Result, uol

from uol.conformance.cases import workers

SELECTION = ("--op", "relu,softmax,sort", "--target", "toy")
KILLED = """
import sys, toy_backend
from uol.backends import registry
from uol.cli.application import main
from uol.conformance.cases import workers

workers.BATCH = 4
registry.register("toy", toy_backend.ToyBackend)
sys.argv = ["uol", "conform", *sys.argv[1:]]
main()
"""
TESTS = Path(__file__).parents[1]
Report = dict[str, Any]


@pytest.fixture(autouse=True)
def one_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that these tests have made are made once."""
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "resumed-cache"))


def conform(*arguments: object, report: Path) -> tuple[Result, Report]:
    """A run, and its report without what the clock says."""
    result = uol("conform", *SELECTION, *arguments, "--jobs", "1", "--report", report)
    found: Report = json.loads((report / "report.json").read_text()) if result.status < 2 else {}
    return result, timeless(found)


def timeless(report: Any) -> Any:
    match report:
        case dict():
            return {k: timeless(v) for k, v in report.items() if k not in ("seconds", "case_seconds", "facts")}
        case list():
            return [timeless(each) for each in report]
    return report


def said(result: Result) -> str:
    """How many cases were taken over, and how many run."""
    return next(line for line in result.out.splitlines() if "taken over from" in line)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """A run without a break, and its journal."""
    from toy_backend import ToyBackend

    from uol.backends import registry

    folder = tmp_path_factory.mktemp("whole")
    registry.register("toy", ToyBackend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UOL_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "resumed-cache"))
        result, report = conform("--resume", folder / "run.jsonl", report=folder / "report")
    registry.unregister("toy")
    assert result.status == 0, result.out + result.err
    assert said(result) == f"0 cases taken over from {folder / 'run.jsonl'}, {len(report['cases'])} run"
    return report, folder / "run.jsonl"


@pytest.fixture
def journal(whole: tuple[Report, Path], tmp_path: Path) -> Path:
    """A copy of the journal of the whole run."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(whole[1].read_bytes())
    return path


def test_a_killed_run_goes_on_to_the_report_of_the_whole(toy: str, whole: tuple[Report, Path], tmp_path: Path) -> None:
    path = tmp_path / "killed.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", KILLED, *SELECTION, "--jobs", "1", "--resume", path]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (path.exists() and len(path.read_bytes().splitlines()) > 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    result, report = conform("--resume", path, report=tmp_path / "report")
    taken = int(said(result).split()[0])
    assert 0 < taken < len(report["cases"])
    assert report == whole[0]


def test_a_second_run_takes_over_all_and_generates_nothing(
    toy: str, whole: tuple[Report, Path], journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "check_group", None)
    result, report = conform("--resume", journal, report=tmp_path / "report")
    assert said(result) == f"{len(report['cases'])} cases taken over from {journal}, 0 run"
    assert report == whole[0]


def test_three_shards_add_up(toy: str, whole: tuple[Report, Path], tmp_path: Path) -> None:
    shards = []
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.jsonl"
        _, report = conform("--shard", f"{number}/3", "--resume", path, report=tmp_path / str(number))
        shards.append(report["cases"])
    every = sorted(json.dumps(case) for shard in shards for case in shard)
    assert every == sorted(json.dumps(case) for case in whole[0]["cases"])
    merge = [part for number in (1, 2, 3) for part in ("--merge", tmp_path / f"{number}.jsonl")]
    result, report = conform(*merge, report=tmp_path / "merged")
    assert report == whole[0]
    assert "nothing was run" in result.out
    result, _ = conform(*merge[:4], report=tmp_path / "two")
    assert result.status == 2
    assert "groups of cases are in no journal" in result.err


Change = Callable[[pytest.MonkeyPatch], None]


def other_sum(patch: pytest.MonkeyPatch) -> None:
    import toy_backend

    patch.setitem(toy_backend.FOLDS, "sum", ("np.add.reduce", 0))


def other_judge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workers, "judge_of_cases", lambda sources: "another judge")


RERUN: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda patch: None, set()),
    "how sums are emitted": (other_sum, {"softmax", "sort"}),  # a machine without orders counts for them
    "the judge": (other_judge, {"relu", "softmax", "sort"}),
}


@pytest.mark.parametrize("changed", RERUN)
def test_after_a_commit_what_it_changed_is_run(
    changed: str, toy: str, whole: tuple[Report, Path], journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources differ, so texts are made anew, into a cache that holds none of before."""
    change, ops = RERUN[changed]
    monkeypatch.setattr(workers, "sources_of_cases", lambda: "another commit")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "cache"))
    change(monkeypatch)
    result, report = conform("--resume", journal, report=tmp_path / "report")
    run = sum(case["op"] in ops for case in report["cases"])
    assert said(result) == f"{len(report['cases']) - run} cases taken over from {journal}, {run} run"
    assert report == whole[0]
    result, _ = conform("--resume", journal, report=tmp_path / "report")
    assert said(result).endswith(", 0 run"), "by the sources of that commit they are known from now on"


def test_another_text_of_an_operator_is_run(toy: str, tmp_path: Path) -> None:
    file = tmp_path / "own.uol"
    text = "op {}(x: T[*S]) -> (y: T[*S]) for T in (f64, f32) {{ y[*s] = x[*s] * {} }}"
    options = ("--op", file, "--target", "toy", "--jobs", "1", "--resume", tmp_path / "run.jsonl")
    file.write_text("\n".join([text.format("resumed_a", 2), text.format("resumed_b", 3)]))
    assert uol("conform", *options).status == 0
    (tmp_path / "own.uol").write_text("\n".join([text.format("resumed_c", 4), text.format("resumed_b", 3)]))
    found = json.loads(uol("conform", *options, "--json").out)
    b = sum(case["op"] == "resumed_b" for case in found["cases"])
    assert found["facts"]["cases"] == f"{b} cases taken over from {tmp_path / 'run.jsonl'}, {len(found['cases']) - b} run"


def test_a_failure_is_run_again(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    options = ("--op", "relu", "--target", "toy", "--first", "--jobs", "1", "--resume", tmp_path / "run.jsonl")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "cache"))
    with monkeypatch.context() as patch:
        patch.setitem(toy_backend.FUNCTIONS, "max", "np.minimum")
        assert uol("conform", *options).status == 1
        assert said(uol("conform", *options)).endswith(f"0 cases taken over from {tmp_path / 'run.jsonl'}, 2 run")
    merged = uol("conform", *options[:-2], "--merge", tmp_path / "run.jsonl")
    assert merged.status == 1
    assert "breach: golden: beyond the contract" in merged.out


def test_a_damaged_line_is_run_and_said(toy: str, whole: tuple[Report, Path], journal: Path, tmp_path: Path) -> None:
    lines = journal.read_text().splitlines()
    lines[1] = lines[1].replace("pass", "fail", 1)
    journal.write_text("\n".join([*lines, ""]))
    result, report = conform("--resume", journal, report=tmp_path / "report")
    assert said(result).endswith(", 1 run; 1 line of it damaged and left out")
    assert report == whole[0]


def test_one_case_by_its_name(toy: str, tmp_path: Path) -> None:
    every = uol("conform", *SELECTION, "--case", "softmax[S=3, C=34]")
    assert every.status == 2
    assert "there is no case 'softmax[S=3, C=34]'" in every.err
    _, report = conform("--case", "relu[S=64x256] on random inputs", report=tmp_path)
    (case,) = report["cases"]
    assert (case["op"], case["workload"], case["inputs"]) == ("relu", "relu[S=64x256]", "random")


BAD = {
    "--resume report.json": "is no journal of a run",
    "--merge absent.jsonl": "cannot read 'absent.jsonl'",
    "--shard 4/3": "no shard '4/3'",
    "--merge run.jsonl --resume run.jsonl": "--resume says nothing beside --merge",
}


@pytest.mark.parametrize("options", BAD)
def test_bad_input(options: str, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.json").write_text('{"kind": "operators"}\n')
    result = uol("conform", *SELECTION, *options.split())
    assert result.status == 2
    assert BAD[options] in result.err
    assert "Traceback" not in result.err
    assert (tmp_path / "report.json").read_text() == '{"kind": "operators"}\n'

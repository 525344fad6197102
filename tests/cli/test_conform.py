"""`uol conform`: what it checks, what it writes, its exit status."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import uol

from uol.cli import conform_paths
from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.paths.record import Check, LayerResult, PathOptions, PathReport, Progress

pytestmark = pytest.mark.usefixtures("own_cache")


def test_operators_on_a_target(toy: str) -> None:
    result = uol("conform", "--op", "relu", "--target", "toy", "--dtype", "f64,f32", "--first")
    assert result.status == 0, result.out + result.err
    rows = [line.split() for line in result.out.splitlines()]
    assert [row[:3] for row in rows[1:3]] == [["relu", "toy:host", "f64"], ["relu", "toy:host", "f32"]]
    assert all(passed.split("/")[0] == passed.split("/")[1] for _, _, _, passed, *_ in rows[1:3])


def test_a_breach_has_status_1_and_says_where(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FUNCTIONS, "max", "np.minimum")
    result = uol("conform", "--op", "relu", "--target", "toy", "--first")
    assert result.status == 1
    assert "FAILED" in result.out
    assert "relu[S=64x256] on random inputs\n  breach: golden: beyond the contract" in result.out


def test_operators_as_json(toy: str) -> None:
    report = json.loads(uol("conform", "--op", "relu", "--target", "toy", "--first", "--json").out)
    assert {r["status"] for r in report["cases"]} == {"pass"}
    assert {"workload", "golden", "reference", "oracle"} <= report["cases"][0].keys()


ROWS = "op {name}(x: T[*S, C]) -> (y: T[*S]) for T in (f64, f32) {{ y[*s] = T(sum[c](acc(x[*s, c]))) }}"


def test_a_text_is_an_operator(toy: str, tmp_path: Path) -> None:
    file = tmp_path / "own.uol"
    file.write_text(ROWS.format(name="rows_of_own"))
    result = uol("conform", "--op", f"relu,{file}", "--target", "toy", "--first")
    assert result.status == 0, result.out + result.err
    rows = [line.split() for line in result.out.splitlines()]
    assert [row[:4] for row in rows[1:3]] == [["relu", "toy:host", "f32", "2/2"], ["rows_of_own", "toy:host", "f32", "2/2"]]
    assert "rows_of_own: no reference of its own, so it was compared with the golden interpreter alone" in result.out
    records = json.loads(uol("conform", "--op", f"relu,{file}", "--target", "toy", "--first", "--json").out)["cases"]
    assert {(r["op"], r["independent_reference"]) for r in records} == {("relu", True), ("rows_of_own", False)}


def test_a_text_that_a_target_gets_wrong_is_a_breach(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FOLDS, "sum", ("np.prod", 1))
    file = tmp_path / "wrong.uol"
    file.write_text(ROWS.format(name="rows_gone_wrong"))
    result = uol("conform", "--op", file, "--target", "toy", "--first")
    assert result.status == 1
    assert "breach: golden: beyond the contract" in result.out


class OnePath:
    """A path with one layer on two targets."""

    def __init__(self, share: float) -> None:
        self.share = share

    def conform(self, name: str, options: PathOptions, progress: Progress) -> PathReport:
        progress("layers", 1, 1)
        comparison = Comparison(self.share <= 1, "" if self.share <= 1 else "beyond the contract", 4, share=self.share)
        status = "pass" if comparison.ok else "breach"
        first = LayerResult("one", "relu", ("a", "b"), "1x4", 1, status, comparison.reason, comparison, comparison)
        layers = (replace(first, time_us=1500.0, pytorch_us=3000.0), replace(first, target="two"))
        facts = {"seed": str(options.seed), "name": name}
        return PathReport(name, (Check("top class", True, "7"),), layers, facts, 1.0)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    path = OnePath(request.param)
    monkeypatch.setattr("uol.cli.conform_paths.require_path", lambda name: None)
    monkeypatch.setattr("uol.cli.conform_paths.conform", path.conform)


@pytest.mark.parametrize("tiny", [0.25], indirect=True)
def test_a_path_is_printed_and_written(tiny: None, tmp_path: Path) -> None:
    result = uol("conform", "--path", "tiny", "--seed", "5", "--report", tmp_path / "report")
    assert result.status == 0, result.err
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "operator shape layers one two ms PyTorch's ms" in lines
    assert "relu 1x4 2 1: 25.0% 1: 25.0% 1.50 3.00" in lines
    assert "all 2 1.50 3.00" in lines
    assert "seed: 5" in lines
    assert "tiny: passed in 1 s" in lines
    assert json.loads((tmp_path / "report" / "report.json").read_text())["ok"] is True
    assert "<html" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize("tiny", [1.5], indirect=True)
def test_a_path_with_a_breach_has_status_1(tiny: None, tmp_path: Path) -> None:
    result = uol("conform", "--path", "tiny", "--report", tmp_path)
    assert result.status == 1
    assert "two relu 1x4\n  breach: beyond the contract" in result.out
    assert result.out.splitlines()[-2] == "tiny: FAILED in 1 s"


@pytest.mark.parametrize("tiny", [0.25], indirect=True)
@pytest.mark.parametrize("size", [(), ("--quick", "--jobs", "2")], ids=["one by one", "side by side"])
def test_several_paths_are_one_report(
    tiny: None, size: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads stand for processes, which would not know the path of this test."""
    monkeypatch.setattr("uol.cli.conform_paths.ProcessPoolExecutor", lambda workers, context: ThreadPoolExecutor(workers))
    result = uol("conform", "--path", "tiny,small", "--report", tmp_path, *size)
    assert result.status == 0, result.err
    assert result.out.count("tiny: passed in 1 s") == 1 == result.out.count("small: passed in 1 s")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["path"] == "tiny, small"
    assert [check["name"] for check in report["checks"]] == ["tiny: top class", "small: top class"]
    assert [layer["layers"] for layer in report["layers"]][::2] == [["tiny a", "tiny b"], ["small a", "small b"]]
    assert report["facts"] == {
        "seed": "0",
        "tiny: name": "tiny",
        "small: name": "small",
        "seconds of each path": "tiny 1, small 1",
    }
    assert 0 <= report["seconds"] < 1, "the wall time of both, which say that they took a second each"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["junit.xml", "report.html", "report.json"]


@pytest.mark.parametrize("tiny", [0.25], indirect=True)
def test_paths_that_are_done_are_taken_over(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ended in its second path goes on with that; another seed is another run."""
    run = conform_paths.conform
    options = ("--report", tmp_path / "report", "--resume", tmp_path / "run.jsonl", "--jobs", "1")

    def broken(name: str, options: PathOptions, progress: Progress) -> PathReport:
        if name == "small":
            raise KeyboardInterrupt
        return run(name, options, progress)

    monkeypatch.setattr("uol.cli.conform_paths.conform", broken)
    assert uol("conform", "--path", "tiny,small", *options).status == 130
    monkeypatch.setattr("uol.cli.conform_paths.conform", run)
    result = uol("conform", "--path", "tiny,small", *options)
    assert result.status == 0, result.err
    assert f"1 paths taken over from {tmp_path / 'run.jsonl'}, 1 run" in result.out
    whole = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [check["name"] for check in whole["checks"]] == ["tiny: top class", "small: top class"]
    assert "0 paths taken over" in uol("conform", "--path", "tiny,small", *options, "--seed", "3").out


BAD = {
    "conform": "UolError: say what to check",
    "conform --op relu --path resnet50": "UolError: --op says nothing beside --path",
    "conform --op softmx": "UolError: unknown operator 'softmx'",
    "conform --op absent.uol": "ResourceError: cannot read 'absent.uol': No such file or directory",
    "conform --path resnet51": "UolError: unknown path 'resnet51'",
    "conform --op relu --target tpu": "UolError: unknown target 'tpu'",
    "conform --op relu --dtype f31": "TypeCheckError: unknown type 'f31'",
    "conform --op relu --dtype bool": "UolError: there is nothing to check: relu does not admit bool",
    "conform --op relu --weights absent.pt": "UolError: --weights says nothing beside --op",
    "conform --op relu --image absent.png": "UolError: --image says nothing beside --op",
    "conform --op relu --kernel 2": "UolError: --kernel says nothing beside --op",
    "conform --path moe --dtype f31": "TypeCheckError: a path is not checked in 'f31'",
    "conform --path moe --image absent.png": "UolError: --weights and --image say nothing here",
    "conform --path resnet50 --quick --weights absent.pt": "UolError: --weights and --image say nothing here",
    "conform --path resnet50 --first": "UolError: --first says nothing beside --path",
    "conform --path resnet50 --import file": "UolError: --import says nothing beside --path",
    "conform --import absent": "UolError: cannot import 'absent': ModuleNotFoundError: No module named 'absent'",
    "conform --import absent.py": "UolError: cannot import 'absent.py': FileNotFoundError",
    "conform --op relu --report file/report": "ResourceError: the report cannot be written to 'file/report'",
    "conform --path resnet50 --report file/report": "ResourceError: the report cannot be written to 'file/report'",
    "conform --path resnet50 --weights absent.pt": "ResourceError: cannot read the weights 'absent.pt': No such file",
    "conform --path resnet50 --weights file": "TypeCheckError: file is of another format than torch.save's",
    "conform --path resnet50 --image absent.png": "absent.png",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    result = uol(*command.split())
    assert result.status == 2, result.out + result.err
    assert BAD[command] in result.err
    assert "Traceback" not in result.err

"""`uol bench`: what it prints, the record that it writes, and how a run stands beside a record. No time is judged here."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_line import uol

from uol.conformance.bench import machine_load
from uol.conformance.bench.machine_load import Reading
from uol.conformance.bench.measurement import Key, Timing
from uol.conformance.bench.peak_memory import Memory
from uol.conformance.bench.processes import middle
from uol.conformance.bench.record import schema

PICKED = ("bench", "--suite", "cpu", "--quick", "--family", "rows", "--rows", "softmax,argmax")
PASSES = [
    ("softmax S=32 C=32", "forward"),
    ("softmax S=32 C=32", "forward + backward"),
    ("argmax S=32 C=32", "forward"),
]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one thread: a busy machine does not stop it. What else runs on the machine of the tests is not read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine_load, "read_machine", lambda: None)
    monkeypatch.setenv("UOL_NUM_THREADS", "1")


def recorded() -> dict[str, Any]:
    """A run's record."""
    result = uol(*PICKED, "--json", "a.json")
    assert (result.status, result.err) == (0, "")
    return json.loads(Path("a.json").read_text())


def test_a_record_is_of_the_form_that_the_schema_describes() -> None:
    record = recorded()
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert [(row["row"], row["pass"]) for row in record["rows"]] == PASSES
    assert record["threads"] == 1 and record["quick"] and record["failed"] == []
    assert set(record["geometric_means"]) == {"rows", "all"}
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in record["rows"])
    assert [path.name for path in Path().iterdir()] == ["a.json"]


def test_rates_beside_the_peaks_of_the_machine() -> None:
    result = uol(*(part for part in PICKED if part != "--quick"), "--turns", "1", "--json", "a.json")
    assert (result.status, result.err) == (0, "")
    header = result.out.splitlines()[0]
    assert "rate" in header and "of peak" in header and "peaks of this machine, measured on 1 threads" in result.out
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert all(row["unit"] == "GB/s" and row["share"] > 0 for row in record["rows"])
    assert record["peaks"]["gbytes"] > 0


def test_a_run_without_a_record_prints_a_table() -> None:
    result = uol(*PICKED)
    header, *rows = result.out.splitlines()
    assert header.split("  ")[0] == "family" and "PyTorch ms" in header
    assert [row.split()[:2] for row in rows[: len(PASSES)]] == [["rows", name.split()[0]] for name, _ in PASSES]
    assert "geometric means" in result.out and "of record" not in result.out


def test_a_row_that_was_faster_in_the_record_fails() -> None:
    record = recorded()
    for row in record["rows"]:
        row["ratio"] *= 1e6 if row["row"].startswith("argmax") else 1e-6
    Path("a.json").write_text(json.dumps(record))
    result = uol(*PICKED, "--against", "a.json")
    assert result.status == 1
    assert "3 of 3 passes are in the record; 1 under 0.95 of its ratio" in result.out
    assert [line.split(":")[0] for line in result.out.splitlines() if "SLOWER" in line] == ["SLOWER  argmax S=32 C=32, forward"]


def readings(*busy: float) -> Callable[[], Reading]:
    """A machine of two cores that is read once a second, before and after each pass: of how much they were busy in each."""
    seconds = [0.0]
    for more in busy:
        seconds += [seconds[-1] + more] * 2
    numbered = enumerate(seconds)

    def read() -> Reading:
        number, done = next(numbered)
        return Reading((number + 1) // 2, 0.0, done, 0.0, 2, 3.5)

    return read


def test_a_row_that_was_measured_on_a_busy_machine_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others took one of two cores while the last row was measured."""
    record = recorded()
    assert record["verdict"] == "not compared" and not any("machine" in row for row in record["rows"])
    for row in record["rows"]:
        row["ratio"] *= 1e6 if row["row"].startswith("argmax") else 1e-6
    Path("a.json").write_text(json.dumps(record))
    monkeypatch.setattr(machine_load, "read_machine", readings(0.02, 0.02, 1.0))
    result = uol(*PICKED, "--against", "a.json", "--json", "b.json")
    assert result.status == 0
    assert "the machine was not quiet for 1 of 3 passes, load average 3.5 to 3.5" in result.out
    assert "NOT QUIET  argmax S=32 C=32, forward: other processes took 50% of the cores' time\n" in result.out
    assert "NOT JUDGED  argmax S=32 C=32, forward: " in result.out and "SLOWER" not in result.out
    assert result.out.endswith("verdict: not judged\n")
    found = json.loads(Path("b.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(found)
    assert found["verdict"] == "not judged" and [row["machine"]["quiet"] for row in found["rows"]] == [True, True, False]
    assert found["rows"][2]["machine"] == {"others": 0.5, "stolen": 0.0, "load": 3.5, "quiet": False}


def test_a_row_is_judged_where_others_were_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded()
    for row in record["rows"]:
        row["ratio"] *= 1e6
    Path("a.json").write_text(json.dumps(record))
    monkeypatch.setattr(machine_load, "read_machine", readings(1.0, 1.0, 0.02))
    result = uol(*PICKED, "--against", "a.json")
    assert result.status == 1 and result.out.endswith("verdict: slower\n")
    assert [line.split(":")[0] for line in result.out.splitlines() if "SLOWER" in line] == ["SLOWER  argmax S=32 C=32, forward"]


def test_a_record_of_a_busy_machine_judges_nothing() -> None:
    record = recorded()
    for row in record["rows"]:
        row |= {"ratio": row["ratio"] * 1e6, "machine": {"stolen": 0.3, "pytorch_spread": 0.25, "quiet": False}}
    Path("a.json").write_text(json.dumps(record))
    result = uol(*PICKED, "--against", "a.json")
    assert result.status == 0 and result.out.endswith("verdict: not judged\n")
    said = "in the record the hypervisor took 30% of the cores' time, in the record PyTorch's times spread by 25%"
    assert f"NOT QUIET  argmax S=32 C=32, forward: {said}\n" in result.out


def test_rows_that_were_slower_in_the_record_pass_and_new_ones_are_named() -> None:
    record = recorded()
    record["rows"] = [row | {"ratio": row["ratio"] * 1e-6} for row in record["rows"][:1]]
    record["processor"] = "another"
    Path("a.json").write_text(json.dumps(record))
    result = uol(*PICKED, "--against", "a.json")
    assert result.status == 0
    assert "1 of 3 passes are in the record; 0 under 0.95" in result.out and result.out.endswith("verdict: passed\n")
    assert [line.split()[-1] for line in result.out.splitlines()[1:4]].count("new") == 2
    assert "the record is of another processor (another)" in result.out


def test_a_row_that_cannot_be_measured_fails_and_is_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.conformance.bench import eager

    monkeypatch.setitem(eager.EAGER, "argmax", lambda x: x.argmin(-1))  # computes something else
    result = uol(*PICKED, "--json", "a.json")
    assert result.status == 1
    assert "FAILED  argmax S=32 C=32, forward: result 0 is not PyTorch's" in result.out
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert [row["row"] for row in record["failed"]] == ["argmax S=32 C=32"] and len(record["rows"]) == 2


def test_torch_compile_is_a_further_column_and_a_row_that_it_fails_on_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place: a wrapper that names what it was given, and has no compiler for rows with a gradient."""
    import torch

    given: list[object] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setattr(torch, "compile", lambda function: given.append(function) or partial(_compiled, function))
    result = uol(*PICKED, "--compile", "--json", "a.json")
    assert result.status == 0 and len(given) == len(PASSES)
    assert "torch.compile ms  its ratio" in result.out.splitlines()[0]
    assert f"NOT COMPILED  {PASSES[1][0]}, {PASSES[1][1]}: RuntimeError: no C++ compiler\n" in result.out
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    first, second, third = (row["compiled"] for row in record["rows"])
    assert first["ratio"] > 0 and third["ms"] > 0 and second == {"reason": "RuntimeError: no C++ compiler"}


def _compiled(function: Callable[..., Any], *tensors: Any) -> Any:
    if any(tensor.requires_grad for tensor in tensors):
        raise RuntimeError("no C++ compiler\nand where one was looked for")
    return function(*tensors)


MODEL = ("bench", "--quick", "--rows", "encoder layer", "--memory", "--json", "a.json")


def test_memory_is_a_table_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uol.cli.bench_command.measure", lambda *_, **__: Timing(1.0, 1.0, 1.0, 1.0, 1.0))
    monkeypatch.setattr("uol.cli.bench_command.peak_memory", lambda row: Memory(2 << 20, 3 << 20))
    result = uol(*MODEL)
    assert result.status == 0
    assert ["encoder", "layer", "N=1", "training", "2.0", "3.0", "1.50"] in [line.split() for line in result.out.splitlines()]
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert record["rows"][0]["memory"] == {"uol_bytes": 2 << 20, "pytorch_bytes": 3 << 20, "ratio": 1.5}


def test_memory_that_cannot_be_measured_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uol.cli.bench_command.measure", lambda *_, **__: Timing(1.0, 1.0, 1.0, 1.0, 1.0))
    monkeypatch.setattr("uol.cli.bench_command.peak_memory", lambda row: "it was killed")
    result = uol(*MODEL)
    assert result.status == 1 and "FAILED  memory of encoder layer N=1 training, step: it was killed" in result.out
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert record["rows"][0]["memory"] == {"reason": "it was killed"}


def test_of_several_processes_the_middle_one_counts() -> None:
    result = uol(*PICKED, "--processes", "2", "--json", "a.json")
    assert (result.status, result.err) == (0, "") and "of 2 processes" in result.out
    record = json.loads(Path("a.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert [(row["row"], row["pass"]) for row in record["rows"]] == PASSES and record["processes"] == 2
    key = Key("rows", "r", "forward")
    timings = [Timing(1.0, ratio, ratio, ratio, ratio) for ratio in (0.5, 4.0, 1.0, 2.0)]
    assert middle([{key: timing} for timing in timings])[key] is timings[2]
    assert middle([{key: timings[0]}, {key: "no memory"}, {key: timings[1]}])[key] == "no memory"


def test_the_rows_are_listed_and_not_measured() -> None:
    result = uol("bench", "--list", "--family", "scans,pooling")
    assert result.status == 0
    assert result.out.splitlines()[0].split() == ["family", "row", "pass"]
    assert "cumsum S=256 N=4096" in result.out and "max_pool2d" in result.out and "softmax" not in result.out


GOOD: dict[str, Any] = {"kind": "uol bench", "format": 1, "suite": "cpu", "quick": True, "threads": 1, "processor": "x"}
GOOD |= {"rows": [], "failed": []}
ROW = {"family": "rows", "row": "r", "pass": "forward", "uol_ms": 1, "pytorch_ms": 1, "ratio": 1, "low": 1, "high": 1}
RECORDS = {  # a record's text -> what is said of it
    "not json": "it is not JSON",
    "[]": "its kind is not 'uol bench'",
    json.dumps({"kind": "path"}): "its kind is not 'uol bench'",
    json.dumps(GOOD | {"format": 2}): "its format is 2, and 1 is known here",
    json.dumps({key: value for key, value in GOOD.items() if key != "rows"}): "KeyError: 'rows'",
    json.dumps(GOOD | {"rows": [ROW | {"ratio": 0}]}): "ratio of r is 0.0",
    json.dumps(GOOD | {"rows": [ROW | {"low": "nan"}]}): "low of r is nan",
    json.dumps(GOOD | {"rows": 3}): "TypeError",
    json.dumps(GOOD | {"rows": [ROW | {"row": ["r"]}]}): "TypeError",
    json.dumps(GOOD | {"rows": [ROW]}): "none of the passes is in the record",
    json.dumps(GOOD | {"suite": "gpu"}): "the record's suite is 'gpu', here it is 'cpu'",
    json.dumps(GOOD | {"quick": False}): "the record's quick is False, here it is True",
    json.dumps(GOOD | {"threads": 64}): "the record's threads is 64, here it is 1\n  help: set UOL_NUM_THREADS=64",
}


@pytest.mark.parametrize("text", RECORDS)
def test_a_record_that_says_nothing_of_this_run_is_refused(text: str) -> None:
    Path("record.json").write_text(text)
    result = uol(*PICKED, "--against", "record.json", "--json", "a.json")
    assert result.status == 2 and RECORDS[text] in result.err and "Traceback" not in result.err
    assert not Path("a.json").exists()


BAD = {  # arguments -> message
    "--suite gpu": "unknown suite 'gpu'\n  help: the suites are cpu",
    "--family ,": "no family given: ','\n  help: for example scans,norms",
    "--family scans,rowz": "suite cpu has no family 'rowz'\n  help: did you mean rows?",
    "--rows softmix": "no row begins with softmix",
    "--rows ,": "no row given: ','",
    "--against nowhere.json": "cannot read 'nowhere.json': No such file or directory",
    "--against .": "cannot read '.': Is a directory",
    "--json nowhere/a.json": "the record cannot be written to 'nowhere/a.json': No such file or directory",
    "--json .": "the record cannot be written to '.': Is a directory",
    "--rows softmax --memory": "--memory measures models, and none is chosen\n  help: `uol bench --family models --memory`",
    "--processes 0": "Invalid value for '--processes'",
    "--turns 0": "Invalid value for '--turns'",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_refused_before_anything_is_measured(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uol.cli.bench_command.measure", lambda *_: pytest.fail("it was measured"))
    result = uol("bench", *arguments.split())
    assert result.status == 2 and BAD[arguments] in result.err and "Traceback" not in result.err
    assert list(Path().iterdir()) == []

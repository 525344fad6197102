"""`uol pack`, `uol record`, and records in reports. The records are made up: no card was measured."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import uol

from uol.backends.cuda import nvrtc
from uol.conformance.packs.runner.seals import sealed


def case(name: str, us: float | None = 10.0, status: str = "passed") -> dict[str, Any]:
    def timed(median: float | None) -> dict[str, float] | None:
        figures = {"median": 1.0, "lower": 0.9, "upper": 1.2, "least": 0.5, "samples": 50.0}
        return None if median is None else {name: figure * median for name, figure in figures.items()}

    return {
        "name": name,
        "op": name.split()[1].partition("[")[0],
        "dtype": "f32",
        "status": status,
        "reason": "" if status == "passed" else "NaN at y[0]",
        "share": 0.25,
        "binary": "native",
        "repeatable": True,
        "time_us": timed(us),
        "pytorch_us": timed(20.0),
        "pytorch_reason": "",
        "pytorch_ratio": timed(None if us is None else 20.0 / us),
        "predicted_us": 8.0,
        "roofline_us": 2.5,
        "roofline_bound": "bandwidth",
    }


def record(*cases: dict[str, Any], card: str = "Made Up 100") -> dict[str, Any]:
    return sealed({
        "kind": "measured",
        "format": 2,
        "when": "2026-01-01T00:00:00+00:00",
        "card": {"name": card, "driver": "CUDA 13.0", "architecture": "sm_90"},
        "clocks_at_the_end": {"clocks.sm": "1980 MHz"},
        "software": {"torch": "2.13.0"},
        "pack": {"target": "cuda:h100", "selection": "relu", "part": [1, 1], "made_by": "uol 0.1.0", "compiler": "NVRTC 13.0"},
        "cases": list(cases),
    })


RELU, NEG = case("f32 relu[S=8] on random inputs"), case("f32 neg[S=8] on random inputs")


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def written(data: object, name: str = "record.json") -> Path:
        (tmp_path / name).write_text(json.dumps(data))
        return tmp_path / name

    return written


def test_a_record_is_shown_with_its_card(file: Any) -> None:
    found = uol("record", "show", file(record(RELU, NEG)))
    assert found.status == 0, found.err
    assert "cuda:h100: measured on Made Up 100, 2026-01-01" in found.out and "CUDA 13.0" in found.out
    row = next(line for line in found.out.splitlines() if "relu[" in line)
    assert row.split()[-11:] == [
        *("passed", "0.25", "10.00", "9.00-12.00", "8.00", "1.25"),
        *("20.00", "2.00", "1.80-2.40", "2.50", "25.0%"),
    ]


def test_a_record_with_a_failure_ends_with_1(file: Any) -> None:
    found = uol("record", "show", file(record(RELU, case("f32 exp[S=8]", None, "failed"))), "--json")
    data = json.loads(found.out)
    assert found.status == 1 and not data["ok"] and data["label"] == "cuda:h100: measured on Made Up 100"
    assert [c["passed"] for c in data["cases"]] == [True, False]


@pytest.mark.parametrize(
    ("after", "options", "status", "said"),
    [
        ([RELU, NEG], (), 0, "passed: 0 of 2 cases are worse"),
        ([RELU, case(NEG["name"], 10.9)], (), 0, "passed: 0 of 2"),
        ([RELU, case(NEG["name"], 11.1)], (), 1, "FAILED: 1 of 2 cases are worse: they fail, or take more than 1.1 times"),
        ([RELU, case(NEG["name"], 11.1)], ("--ratio", "1.2"), 0, "passed: 0 of 2"),
        ([RELU, case(NEG["name"], None, "failed")], (), 1, "FAILS"),
        ([RELU, case("f32 exp[S=8]")], (), 0, "only before: 1: f32 neg[S=8] on random inputs"),
    ],
)
def test_a_second_record_is_worse_where_it_fails_or_is_slower(
    file: Any, after: list[dict[str, Any]], options: tuple[str, ...], status: int, said: str
) -> None:
    before = file(record(RELU, NEG), "before.json")
    found = uol("record", "compare", before, file(record(*after), "after.json"), *options)
    assert found.status == status and said in found.out
    data = json.loads(uol("record", "compare", before, file(record(*after), "after.json"), *options, "--json").out)
    assert data["ok"] == (status == 0)


def test_records_of_two_cards_say_so(file: Any) -> None:
    other = file(record(RELU, card="Made Up 200"), "other.json")
    assert "The cards differ" in uol("record", "compare", file(record(RELU)), other).out


def spoilt(change: str) -> object:
    data = copy.deepcopy(record(RELU))
    match change:
        case "kind":
            data["kind"] = "bench"
        case "format":
            data["format"] = 99
        case "no cases":
            data["cases"] = []
        case "time":
            data["cases"][0]["time_us"]["median"] = "nan"
        case "list":
            return [data]
    return sealed(data)


@pytest.mark.parametrize("change", ["kind", "format", "no cases", "time", "list"])
def test_what_is_no_record_is_an_error(file: Any, change: str) -> None:
    found = uol("record", "show", file(spoilt(change)))
    assert found.status == 2 and "is no record of a pack" in found.err and "help: give a file" in found.err


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("card",), None, "card of the record is missing"),
        (("when",), "2027-01-01", "when of the record was changed"),
        (("pack",), {"target": "cuda:a100"}, "pack of the record was changed"),
        (("cases", 0, "predicted_us"), None, "predicted_us of f32 relu[S=8] on random inputs is missing"),
        (("cases", 0, "predicted_us"), 4.0, "predicted_us of f32 relu[S=8] on random inputs was changed"),
        (("cases", 0, "time_us"), {"median": 1.0, "lower": 1.0, "upper": 1.0}, "time_us of f32 relu[S=8] on random inputs was"),
        (("cases", 0, "seals"), None, "status of f32 relu[S=8] on random inputs was changed"),
        (("cases", 0), None, "cases: one is missing"),
        (("seals",), None, "card of the record was changed"),
    ],
)
def test_a_field_that_is_missing_or_was_changed_is_named(file: Any, place: tuple[Any, ...], value: object, said: str) -> None:
    data = copy.deepcopy(record(RELU, NEG))
    at: Any = data
    for step in place[:-1]:
        at = at[step]
    if value is None:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    found = uol("record", "show", file(data))
    assert (found.status, found.out) == (2, "") and "is not what the runner wrote" in found.err
    assert said in " ".join(found.err.split()) and "help: take the file as `python run.py` wrote it" in found.err


def test_errors_of_the_commands(file: Any, tmp_path: Path) -> None:
    one, other = file(record(RELU)), file(record(NEG), "other.json")
    assert "no case in common" in uol("record", "compare", one, other).err
    assert uol("record", "show", tmp_path / "absent.json").status == 2
    assert uol("record", "compare", one, one, "--ratio", "0").status == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "cuda:h100"), "say what to pack"),
        (("--target", "ascendc", "--op", "relu"), "ascendc:910b2: packs have no runner for its cards"),
        (("--target", "cuda:h100", "--op", "relu", "--part", "3/2"), "no part '3/2'"),
        (("--target", "cuda:h100", "--op", "relu", "--quick"), "--quick says nothing beside --op"),
        (("--target", "cuda:h100", "--op", "no_such"), "no_such"),
        (("--target", "cuda:h100", "--path", "resnet50", "--op", "relu"), "--op says nothing beside --path"),
        (("--target", "cuda:h100", "--op", "relu", "--dtype", "i64"), "nothing to check"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    found = uol("pack", *arguments, "-o", tmp_path / "pack")
    assert found.status == 2 and said in found.err and not list(tmp_path.iterdir())


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, which builds the pack's kernels")
def test_a_pack_is_written_and_told_of(tmp_path: Path) -> None:
    found = uol("pack", "--target", "cuda:h100", "--op", "relu", "-o", tmp_path / "pack", "--json")
    data = json.loads(found.out)
    assert found.status == 0 and (data["cases"], data["left_out"]) == (1, [])
    assert data["bytes"] == sum(f.stat().st_size for f in (tmp_path / "pack").rglob("*") if f.is_file())


@pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, which builds the pack's kernels")
@pytest.mark.parametrize(("gradients", "op"), [((), "mul"), (("--gradients",), "mul_grad")])
def test_a_pack_of_one_operator_has_the_sizes_that_are_asked_for(gradients: tuple[str, ...], op: str, tmp_path: Path) -> None:
    """The first case of most has some thousand elements, which a card passes in less time than a launch takes."""
    chosen = ("--target", "cuda:a100", "--op", "mul", *gradients, "--dims", "S=64x256", "-o", tmp_path / "pack")
    found = uol("pack", *chosen)
    assert found.status == 0, found.err
    pack = json.loads((tmp_path / "pack" / "pack.json").read_text())
    (case,) = pack["cases"]
    assert case["op"] == op and {tuple(tensor["shape"]) for tensor in case["tensors"]} == {(64, 256)}
    assert case["roofline"]["bytes"] == len(case["tensors"]) * 64 * 256 * 4
    assert "the first case, at S=64x256" in pack["selection"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--op", "add,mul", "--dims", "S=8"), "--dims are those of one operator, and 2 are named"),
        (("--op", "add", "--dims", "Q=8"), "add has no dim 'Q'"),
        (("--op", "add", "--dims", "S=_"), "add needs the sizes of *S"),
        (("--path", "moe", "--dims", "S=8"), "--dims says nothing beside --path"),
    ],
)
def test_sizes_that_a_pack_cannot_have_are_an_error(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    found = uol("pack", "--target", "cuda:a100", *options, "-o", tmp_path / "pack")
    assert found.status == 2 and said in found.err
    assert not (tmp_path / "pack").exists()


def test_a_report_has_what_was_measured(file: Any, tmp_path: Path) -> None:
    wrong = file(record(RELU, case("f32 exp[S=8]", None, "failed")))
    chosen = ("--op", "relu", "--target", "cpu", "--first", "--report", tmp_path / "report")
    found = uol("conform", *chosen, "--record", wrong)
    assert found.status == 1 and "cuda:h100: measured on Made Up 100: 1 passed, 1 failed" in found.out
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert not data["ok"] and data["totals"]["failed"] == 0
    assert [each["label"] for each in data["measured"]] == ["cuda:h100: measured on Made Up 100"]
    assert "<h2>Measured on Made Up 100</h2>" in (tmp_path / "report" / "report.html").read_text()
    assert 'name="cuda:h100: measured on Made Up 100"' in (tmp_path / "report" / "junit.xml").read_text()

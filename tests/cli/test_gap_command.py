"""`uol gap` and `uol explain --path` on the command line, on a step of two calls."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from command_line import uol

from uol.conformance.gap.attained import Attained, best_of
from uol.conformance.gap.measure import RecordedCase, devices
from uol.conformance.gap.model import CallForm
from uol.conformance.gap.reference.timed import TimedGroup
from uol.conformance.gap.rows import BESIDE, Row

SIZE = 256
ROWS = (Row("relu", "forward", ("relu",)), Row("steps", "optimiser", ("steps",)), Row(BESIDE["forward"], "forward", ()))


@pytest.fixture
def step_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any path is three relus, one as an optimiser, and beside the reference an addition of i64, which not every device has."""
    relu = CallForm("relu", ((torch.float16, (SIZE, SIZE), (SIZE, 1)),), ())
    add = CallForm("add", ((torch.int64, (), ()),) * 2, ())

    def recorded(path: str, dtypes: list[str]) -> list[RecordedCase]:
        forms = {"relu": {relu: 3}, "steps": {relu: 1}, BESIDE["forward"]: {add: 1}}
        return [RecordedCase(path, "small, Zipf", "small", dtype, "it is small", ROWS, forms) for dtype in dtypes]

    def reference(path: str, case: str, dtype: str, attained: Attained) -> tuple[TimedGroup, ...]:
        assert case == "small", "it is the same for every routing"
        best = best_of(2 * 2 * SIZE**2, 2 * SIZE**2, attained)
        work = 2 * 2 * SIZE**2, 2 * SIZE**2, best.seconds, best.launch, best.bound
        return tuple(TimedGroup(row.name, row.name, row.phase, *work) for row in (ROWS[0], ROWS[0], ROWS[1]))

    monkeypatch.setattr("uol.conformance.gap.measure.recorded_cases", recorded)
    monkeypatch.setattr("uol.conformance.gap.measure.reference_of", reference)


@pytest.mark.usefixtures("step_of_two")
def test_tables_json_and_page_say_the_same(tmp_path: Path) -> None:
    result = uol("gap", "--path", "moe", "--dtype", "f16", "--json", tmp_path / "gap.json", "--report", tmp_path / "gap.html")
    assert result.status == 0, result.err
    (found,) = json.loads((tmp_path / "gap.json").read_text())
    relu, _, beside = found["rows"]
    assert list(relu["on"]) == list(devices().all) and found["figures"]["devices"] == list(devices().compared)
    for on in relu["on"].values():
        assert (on["bytes"], on["operations"], on["launches"]) == (2 * 2 * 2 * SIZE**2, 2 * 2 * SIZE**2, 3)
        assert on["eff"] == on["reference_s"] / on["modelled_s"]
        assert on["lost_s"] == on["modelled_s"] - on["reference_s"]
        assert on["modelled_s"] == pytest.approx(sum(k["calls"] * k["seconds"] for k in on["kernels"]))
    has_both = next(d for d in devices().compared if not found["devices"][d]["refused"])
    taken = relu["on"][has_both]["modelled_s"] + beside["on"][has_both]["modelled_s"]
    eff = found["devices"][has_both]["eff"]
    assert eff == pytest.approx(relu["on"][has_both]["reference_s"] / taken), "the optimiser is apart, what stands beside not"
    page = (tmp_path / "gap.html").read_text()
    assert page.count("<svg") == len(devices().all) and not re.search(r'(src|href)="(?!#)', page)
    for text in (result.out, page):
        assert "modelled, not validated" in text and "gap not established" in text and f"{eff:.1%}" in text
        assert "resnet50, a training step" in text, "the vendors' own"
    assert beside["gap"] is None and beside["on"][has_both]["reference_s"] == 0


@pytest.mark.usefixtures("step_of_two")
def test_the_first_table_is_of_paths_by_devices() -> None:
    said, head, *lines = uol("gap", "--path", "moe,cmap", "--dtype", "f16").out.splitlines()[:4]
    assert "Forward and backward" in said
    assert re.split(r"\s{2,}", head.strip())[3:] == [
        *(f"eff {d}" for d in devices().compared),
        *(f"eff {d} (beside)" for d in devices().beside),
        "gap",
        "vendors' own",
    ]
    assert [line.split()[0] for line in lines] == ["moe", "cmap"]


@pytest.mark.usefixtures("step_of_two")
def test_a_device_without_a_kernel_has_no_eff(tmp_path: Path) -> None:
    result = uol("gap", "--path", "cmap", "--dtype", "f16", "--json", tmp_path / "gap.json")
    (found,) = json.loads((tmp_path / "gap.json").read_text())
    refusing = [device for device in devices().compared if found["devices"][device]["refused"]]
    assert len(refusing) == 1
    reason = found["devices"][refusing[0]]["refused"]["add"]
    assert f"refused  {refusing[0]} add: {reason}" in result.out
    assert f"{refusing[0]} refuses add" in result.out
    on = found["rows"][2]["on"][refusing[0]]
    assert (on["modelled_s"], on["kernels"]) == (None, [])
    assert found["devices"][refusing[0]]["eff"] == 0
    assert found["figures"]["gap"] == 1 and found["figures"]["portability"] == 0


@pytest.mark.usefixtures("step_of_two")
def test_explain_lists_the_kernels_of_a_path() -> None:
    target = devices().compared[0]
    result = uol("explain", "--path", "moe", "--target", target, "--json")
    assert result.status == 0, result.err
    (found,) = json.loads(result.out)
    relu = found["rows"][0]
    (kernel,) = relu["kernels"]
    assert (kernel["op"], kernel["calls"], kernel["launches"], kernel["bytes"]) == ("relu", 3, 1, 2 * 2 * SIZE**2)
    shown = uol("explain", "--path", "moe", "--target", target).out
    assert f"{2 * 2 * SIZE**2:,}" in shown and "5 launches" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gap", "--path", "vgg"), "unknown path 'vgg'"),
        (("gap", "--path", ","), "no path given"),
        (("gap", "--dtype", "f8"), "a gap is not taken in 'f8'"),
        (("gap", "--json", "/dev/null/gap.json"), "cannot be written"),
        (("explain",), "say what to explain"),
        (("explain", "relu", "--path", "moe"), "say what to explain"),
        (("explain", "--path", "vgg"), "unknown path 'vgg'"),
        (("explain", "--path", "moe", "--dims", "N=1"), "--dims says nothing beside --path"),
        (("explain", "--path", "moe", "--dtype", "i8"), "a path is not explained in 'i8'"),
        (("explain", "--path", "moe", "--target", "none"), "unknown target 'none'"),
    ],
)
def test_bad_input_exits_2(arguments: tuple[str, ...], message: str) -> None:
    result = uol(*arguments)
    assert result.status == 2 and message in result.err

"""`uol gap` and `uol explain --path` on the command line, on a step of two calls."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from command_line import uol

from uol.conformance.gap.groups import read_groups
from uol.conformance.gap.measure import RecordedCase, devices
from uol.conformance.gap.model import CallForm

GROUPS = """
[[group]]
name = "relu"
phase = "forward"
recorded = "3"
calls = [{ op = "relu" }]
launches = [{ count = "3", bytes = "2*B*N*N", vector = "N*N" }]
[[group]]
name = "count"
phase = "optimiser"
recorded = "1"
calls = [{ op = "add" }]
launches = [{ bytes = "24" }]
"""
SIZE = 256


@pytest.fixture
def step_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any path is three relus and an addition of i64, which not every device has."""
    relu = CallForm("relu", ((torch.float16, (SIZE, SIZE), (SIZE, 1)),), ())
    add = CallForm("add", ((torch.int64, (), ()),) * 2, ())

    def recorded(path: str, dtypes: list[str]) -> list[RecordedCase]:
        groups = read_groups(GROUPS, {"B": 2, "N": SIZE})
        return [RecordedCase(path, "small", dtype, groups, {"relu": {relu: 3}, "count": {add: 1}}) for dtype in dtypes]

    monkeypatch.setattr("uol.conformance.gap.measure.recorded_cases", recorded)


@pytest.mark.usefixtures("step_of_two")
def test_tables_json_and_page_say_the_same(tmp_path: Path) -> None:
    result = uol("gap", "--path", "moe", "--dtype", "f16", "--json", tmp_path / "gap.json", "--report", tmp_path / "gap.html")
    assert result.status == 0, result.err
    (found,) = json.loads((tmp_path / "gap.json").read_text())
    relu, count = found["groups"]
    assert (relu["bytes"], relu["operations"]) == (3 * 2 * 2 * SIZE**2, {"matrix": 0, "vector": 3 * SIZE**2})
    assert list(relu["on"]) == list(devices().all) and found["figures"]["devices"] == list(devices().compared)
    for on in relu["on"].values():
        assert on["launches"] == 3 and on["eff"] == on["reference_s"] / on["modelled_s"]
        assert on["modelled_s"] == pytest.approx(sum(k["calls"] * k["seconds"] for k in on["kernels"]))
    effs = [relu["on"][device]["eff"] for device in devices().compared]
    assert found["figures"]["gap"] == relu["gap"] == pytest.approx(1 - min(effs) / max(effs))
    page = (tmp_path / "gap.html").read_text()
    assert page.count("<svg") == len(devices().all) and not re.search(r'(src|href)="(?!#)', page)
    for text in (result.out, page):
        assert "modelled, not validated" in text and "gap not established" in text and f"{effs[0]:.1%}" in text
    assert count["gap"] is None and found["figures"]["portability"] == 0


@pytest.mark.usefixtures("step_of_two")
def test_a_device_without_a_kernel_is_a_refusal_in_the_table(tmp_path: Path) -> None:
    result = uol("gap", "--path", "cmap", "--dtype", "f16", "--json", tmp_path / "gap.json")
    (found,) = json.loads((tmp_path / "gap.json").read_text())
    refusing = [device for device in devices().compared if found["devices"][device]["refused"]]
    assert len(refusing) == 1
    reason = found["devices"][refusing[0]]["refused"]["add"]
    assert f"refused  {refusing[0]} add: {reason}" in result.out
    assert f"{refusing[0]} refuses add" in result.out
    on = found["groups"][1]["on"][refusing[0]]
    assert (on["modelled_s"], on["eff"], on["kernels"]) == (None, None, [])


@pytest.mark.usefixtures("step_of_two")
def test_explain_lists_the_kernels_of_a_path() -> None:
    target = devices().compared[0]
    result = uol("explain", "--path", "moe", "--target", target, "--json")
    assert result.status == 0, result.err
    (found,) = json.loads(result.out)
    relu, _ = found["groups"]
    (kernel,) = relu["kernels"]
    assert (kernel["op"], kernel["calls"], kernel["launches"], kernel["bytes"]) == ("relu", 3, 1, 2 * 2 * SIZE**2)
    shown = uol("explain", "--path", "moe", "--target", target).out
    assert f"{2 * 2 * SIZE**2:,}" in shown and "4 launches" in shown


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

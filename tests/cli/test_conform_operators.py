"""`uol conform` on a user's operators and on the library: states, reports, exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import uol

from uol.codegen.backend import Backend, Device, Module
from uol.codegen.choice import Policy
from uol.codegen.specs.graph import KernelGraph

OWN = """
import torch
import uol

uol.op(
    "op {name}(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) {{ y[*s] = T(acc(x[*s]) / (1 + exp(-acc(x[*s])))) }}",
    reference={reference},
    cases=[{{"S": (33,)}}, {{"S": (3, 5)}}],
    contract={{"functions": {{"exp": 3.0}}}},
)
"""
TWO = """op own_first(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * 2 }
op own_second(x: f32[N]) -> (y: f32[N]) { y[n] = own_first(x)[n] + 1 }
"""


def module(folder: Path, name: str, reference: str = "torch.nn.functional.silu") -> Path:
    file = folder / f"{name}_module.py"
    file.write_text(OWN.format(name=name, reference=reference))
    return file


def states(folder: Path) -> dict[tuple[str, str, str], str]:
    report = json.loads((folder / "report.json").read_text())
    return {(case["op"], case["target"], case["dtype"]): case["state"] for case in report["cases"]}


def test_an_operator_of_a_module_beside_the_librarys_and_a_refusal(tmp_path: Path) -> None:
    own, folder = module(tmp_path, "own_swish"), tmp_path / "report"
    command = ("conform", "--import", own, "--op", "own_swish,floor_divide", "--dtype", "f32,i64", "--target", "cpu,ascendc")
    result = uol(*command, "--first", "--report", folder)
    assert result.status == 0, result.out + result.err
    assert states(folder) == {
        ("own_swish", "cpu:host", "f32"): "passed",
        ("own_swish", "ascendc:910b2", "f32"): "passed",
        ("floor_divide", "cpu:host", "i64"): "passed",
        ("floor_divide", "ascendc:910b2", "i64"): "refused",
    }
    refused = "refused on ascendc:910b2: floor_divide i64: floor_divide does not fit ascendc:910b2: arithmetic on i64"
    assert refused in result.out
    assert "own_swish: has a contract of its own: functions.exp = 3.0" in result.out
    assert "6 passed, 0 failed, 2 refused; left out: 2 types that an operator does not admit" in result.out
    assert "ascendc:910b2: emulated, no silicon: the emitted text in the twin on this CPU" in result.out
    report = json.loads((folder / "report.json").read_text())
    assert report["totals"] == {"passed": 6, "failed": 0, "refused": 2, "left_out": 2}
    assert [each["pair"] for each in report["agreement"]] == [["cpu:host", "ascendc:910b2"]]
    assert len(list(ElementTree.parse(folder / "junit.xml").iter("skipped"))) == 2
    assert "emulated, no silicon" in (folder / "report.html").read_text()
    assert result.err.splitlines()[-1] == "checking: 8 of 8, 0 failed, 2 refused"


def test_what_a_module_registers_is_checked_without_op(tmp_path: Path) -> None:
    own, folder = module(tmp_path, "own_wrong", "lambda x: torch.nn.functional.silu(x) + 0.01"), tmp_path / "report"
    result = uol("conform", "--import", own, "--target", "cpu", "--report", folder)
    assert result.status == 1, result.out + result.err
    assert set(states(folder)) == {("own_wrong", "cpu:host", "f32")}
    report = json.loads((folder / "report.json").read_text())
    assert {case["workload"] for case in report["cases"]} == {"own_wrong[S=33]", "own_wrong[S=3x5]"}
    assert "breach: reference: beyond the contract" in result.out
    assert "FAILED in" in result.out
    assert len(list(ElementTree.parse(folder / "junit.xml").iter("failure"))) == report["totals"]["failed"] > 0


@pytest.mark.usefixtures("own_cache")
def test_a_kernel_that_is_wrong_fails_beside_one_that_is_right(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FUNCTIONS, "max", "np.minimum")
    result = uol("conform", "--op", "relu,neg", "--target", "toy,cpu", "--first")
    assert result.status == 1
    rows = {tuple(line.split()[:2]): line.split()[3:] for line in result.out.splitlines()[1:5]}
    assert rows["relu", "toy:host"][0] == "0/2"
    assert rows["relu", "toy:host"][-1] == "FAILED"
    assert all(rows[key][0] == "2/2" for key in (("relu", "cpu:host"), ("neg", "toy:host"), ("neg", "cpu:host")))


def test_a_fault_in_a_vendors_text_fails_and_the_others_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over a block is not taken: each thread divides by its own."""
    from dataclasses import replace

    from uol.codegen import choice

    whole = choice.compile_graph

    def faulty(graph: KernelGraph, backend: Backend, device: Device, policy: Policy) -> Module:
        module = whole(graph, backend, device, policy)
        text = re.sub(r"uol::block_sum<\d+>\(z, scratch\)", "z", module.device.text)
        return replace(module, device=replace(module.device, text=text)) if backend.name == "cuda" else module

    monkeypatch.setenv("UOL_DUMP", str(tmp_path / "dump"))  # every stage is run, nothing is cached
    monkeypatch.setattr(choice, "compile_graph", faulty)
    result = uol("conform", "--op", "softmax,relu", "--target", "cuda,cpu", "--first", "--report", tmp_path / "report")
    assert result.status == 1, result.out + result.err
    found = states(tmp_path / "report")
    assert found.pop(("softmax", "cuda:a100", "f32")) == "failed"
    assert set(found.values()) == {"passed"}
    assert "softmax[S=64, C=256] on random inputs\n  breach: golden: beyond the contract" in result.out


@pytest.mark.usefixtures("own_cache")
def test_a_file_has_all_its_operators_and_a_name_chooses(toy: str, tmp_path: Path) -> None:
    file = tmp_path / "two.uol"
    file.write_text(TWO)
    both = uol("conform", "--op", file, "--target", "toy", "--first")
    assert [line.split()[0] for line in both.out.splitlines()[1:3]] == ["own_first", "own_second"]
    one = uol("conform", "--op", f"{file}:own_first", "--target", "toy", "--first")
    assert [line.split()[0] for line in one.out.splitlines()[1:3] if line] == ["own_first"]
    assert uol("show", f"{file}:own_first").out == uol("show", "own_first").out
    assert uol("show", file).out.count("op own_") == 2
    assert "own_second on cpu:host" in uol("run", file, "--dims", "N=5").out
    absent = uol("show", f"{file}:own_third")
    assert absent.status == 2
    assert f"UolError: {file} has no operator 'own_third'" in absent.err


def test_an_import_goes_before_every_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module(tmp_path, "own_named")
    imported = ("--import", "own_named_module")
    assert "op own_named(" in uol("show", "own_named", *imported).out
    assert "own_named" in uol("list", *imported).out
    assert "own_named on cpu:host: one kernel" in uol("explain", "own_named", "--dims", "S=4", *imported).out
    again = uol("conform", *imported, "--target", "cpu")
    assert (again.status, "no operator is registered there" in again.err) == (2, True)


def test_a_module_that_breaks_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "broken_module.py"
    file.write_text("import uol\n1 / 0\n")
    result = uol("conform", "--import", file)
    assert result.status == 2
    assert "ZeroDivisionError: division by zero" in result.err
    file.write_text('import uol\nuol.op("op broken(x: f32[N]) -> (y: f32[N]) { y[n] = x[n + 1] }")\n')
    result = uol("conform", "--import", file)
    assert result.status == 2
    assert "BoundsError" in result.err


def test_the_help_says_what_a_status_means() -> None:
    text = " ".join(uol("conform", "--help").out.split())
    assert re.search(r"Exit status: 0 all passed or were refused with a reason, 1 a check failed .*, 2 bad input", text)

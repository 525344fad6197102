"""The workflow that a fork uses: it is YAML of the form that GitHub takes, and the steps of its first job run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from on_the_stub import fields_of, of_pytorch, play, subjects, with_small_pauses

from uol.backends.stub_driver.stub import library_folder
from uol.conformance.runs.journal import entries_of

yaml = pytest.importorskip("yaml", reason="it reads the workflow")

ROOT = Path(__file__).parent.parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "conformance.yml"
SELECTION = "--op neg --first --target cpu,cuda --dtype f32"
INSTALL = "Install"


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOW.read_text())


def steps(workflow: dict[Any, Any], job: str) -> list[dict[str, Any]]:
    return workflow["jobs"][job]["steps"]


def test_every_push_is_checked_and_vendors_wait_for_no_one(workflow: dict[Any, Any]) -> None:
    assert "push" in workflow[True]  # YAML 1.1 reads `on` as a truth value
    assert workflow["jobs"]["emulated"]["runs-on"] == "ubuntu-latest"
    vendor = workflow["jobs"]["vendor"]
    assert vendor["if"].startswith("vars.UOL_RUNNERS != ''")
    assert vendor["runs-on"][0] == "self-hosted"
    assert "matrix.label" in vendor["runs-on"][1]
    for job in ("emulated", "vendor"):
        (upload,) = (s for s in steps(workflow, job) if "upload-artifact" in s.get("uses", ""))
        assert upload["if"] == "always()"
        assert "env.REPORT" in upload["with"]["path"]


def test_labels_have_targets_that_there_are(workflow: dict[Any, Any]) -> None:
    from uol.backends import registry

    expression = workflow["jobs"]["vendor"]["env"]["TARGET"]
    targets = json.loads(expression[expression.index("{", 3) : expression.rindex("}'") + 1])
    assert set(targets) == {"cuda", "rocm", "ascend"}
    assert set(targets.values()) <= set(registry.names())


def test_what_is_installed_is_this_project(workflow: dict[Any, Any]) -> None:
    (install,) = (s for s in steps(workflow, "emulated") if s.get("name") == INSTALL)
    assert install["run"].splitlines()[-1] == "python -m pip install -e ."


def test_the_steps_of_the_first_job_run(workflow: dict[Any, Any], tmp_path: Path) -> None:
    """All but the installation, one step after the other."""
    assert workflow["defaults"]["run"]["shell"] == "bash"
    for step in steps(workflow, "emulated"):
        if "run" in step and step.get("name") != INSTALL:
            done = in_shell(step, tmp_path, SELECTION=SELECTION)
            assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    for what, least in (("operators", 2), ("gradients", 2)):
        report = json.loads((tmp_path / "report" / what / "report.json").read_text())
        assert report["ok"]
        assert len(report["cases"]) >= least
        assert (tmp_path / "report" / what / "junit.xml").exists()
    assert "passed in" in (tmp_path / "summary.md").read_text()
    assert entries_of(tmp_path / "journals" / "cases.jsonl"), "the next push takes them over"


def in_shell(step: dict[str, Any], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A step as a runner does it: bash -eo pipefail."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "REPORT": "report",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        **variables,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


CARD_STEPS = ("Pack for the card", "Run on the card", "Operators")


@pytest.fixture
def card_steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    by_name = {step.get("name"): step for step in steps(workflow, "vendor")}
    return [by_name[name] for name in CARD_STEPS]


@pytest.mark.parametrize("is_right", [pytest.param(True, marks=pytest.mark.soak), False], ids=["right", "wrong"])
def test_the_vendor_job_takes_in_what_a_card_measured(card_steps: list[dict[str, Any]], is_right: bool, tmp_path: Path) -> None:
    """Pack, run.py beside a driver of no card that plays PyTorch's results back (or nothing), the report with the record."""
    pack, run, conform = card_steps
    packed = in_shell(pack, tmp_path, PACK="--op neg", CARD="cuda:h100", PARTS="1")
    assert packed.returncode == 0, packed.stderr
    folder, answers = tmp_path / "packs" / "1", tmp_path / "answers"
    assert [case["op"] for case in fields_of(folder)["cases"]] == ["neg"]
    library_folder(tmp_path / "driver")
    answers.mkdir()
    if is_right:
        play(folder, of_pytorch(subjects("neg", "cuda:h100")), answers)
    with_small_pauses(folder)
    stub = {"LD_LIBRARY_PATH": str(tmp_path / "driver"), "UOL_STUB_DEVICES": "sm_90", "UOL_STUB_ANSWERS": str(answers)}
    assert in_shell(run, tmp_path, **stub).returncode == (0 if is_right else 1)
    found = in_shell(conform, tmp_path, SELECTION="--op add --first --dtype f32")
    assert found.returncode == (0 if is_right else 1), found.stdout + found.stderr
    report = json.loads((tmp_path / "report" / "operators" / "report.json").read_text())
    assert [place["target"] for place in report["places"]] == ["cpu:host"], "no twin where a card is"
    measured = [case for record in report["measured"] for case in record["cases"]]
    assert [(case["op"], case["passed"]) for case in measured] == [("neg", is_right)]


COMMAND = """#!/bin/sh
echo "${0##*/} $*" >> "%s"
case "$*" in packs/1/*) exit 1;; esac
"""


def test_packs_are_run_part_by_part_and_all_of_them_count(card_steps: list[dict[str, Any]], tmp_path: Path) -> None:
    """With commands that write down what they are given; the first of two packs fails on its card."""
    pack, run, conform = card_steps
    assert pack["if"] == run["if"] == "(success() || failure()) && env.CARD != ''"
    commands, said = tmp_path / "bin", tmp_path / "said"
    commands.mkdir()
    for name in ("uol", "python"):
        (commands / name).write_text(COMMAND % said)
        (commands / name).chmod(0o755)

    def given(step: dict[str, Any], **variables: str) -> tuple[int, list[str]]:
        said.write_text("")
        done = in_shell(step, tmp_path, PATH=f"{commands}{os.pathsep}{os.environ['PATH']}", **variables)
        return done.returncode, said.read_text().splitlines()

    conformed = "uol conform --op add --target cpu %s--report report/operators"
    assert given(conform, SELECTION="--op add") == (0, [conformed % ""]), "a label without a card runs no pack"
    status, packed = given(pack, PACK="--op relu,neg", CARD="cuda:h100", PARTS="2")
    parts = [f"uol pack --op relu,neg --target cuda:h100 --part {n}/2 -o packs/{n}" for n in (1, 2)]
    assert (status, packed) == (0, parts)
    for number in (1, 2):
        (tmp_path / "packs" / str(number)).mkdir(parents=True)
    assert given(run) == (1, [f"python packs/{n}/run.py -o records/{n}.json" for n in (1, 2)])
    for number in (1, 2):
        (tmp_path / "records" / f"{number}.json").write_text("{}")
    records = "--record records/1.json --record records/2.json "
    assert given(conform, SELECTION="--op add") == (0, [conformed % records])


def test_cards_are_devices_of_targets_that_take_packs(workflow: dict[Any, Any]) -> None:
    from uol.compilation.request import resolve_target
    from uol.conformance.packs.write import require_packable

    expression = workflow["jobs"]["vendor"]["env"]["CARD"]
    for card in json.loads(expression[expression.index("{", 3) : expression.rindex("}'") + 1]).values():
        require_packable(resolve_target(card))

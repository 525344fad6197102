"""The workflow that a fork uses: it is YAML of the form that GitHub takes, and the steps of its first job run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="it reads the workflow")

ROOT = Path(__file__).parent.parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "conformance.yml"
SELECTION = "--op add,neg --first --target cpu,cuda"
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
    """All but the installation, as a runner does it: bash -eo pipefail, one step after the other."""
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SELECTION": SELECTION,
        "REPORT": "report",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    shell = workflow["defaults"]["run"]["shell"]
    assert shell == "bash"
    for step in steps(workflow, "emulated"):
        if "run" not in step or step.get("name") == INSTALL:
            continue
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    for what, least in (("operators", 4), ("gradients", 2)):
        report = json.loads((tmp_path / "report" / what / "report.json").read_text())
        assert report["ok"]
        assert len(report["cases"]) >= least
        assert (tmp_path / "report" / what / "junit.xml").exists()
    assert "passed in" in summary.read_text()

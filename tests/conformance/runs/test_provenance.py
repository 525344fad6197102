"""The commit of a report is the sources' own, or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import torch

from uol.conformance.runs.provenance import Commit, Provenance, commit_of, environment


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_its_commit_and_says_what_is_not_committed(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None, "there is no commit"
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(tmp_path) == Commit(head, dirty=False)
    (tmp_path / "beside").write_text("git does not follow it")
    assert commit_of(tmp_path) == Commit(head, dirty=False)
    (tmp_path / "file").write_text("2")
    assert commit_of(tmp_path) == Commit(head, dirty=True)


def test_a_folder_within_somebodys_checkout_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "of another project", "--allow-empty")
    (tmp_path / "site-packages").mkdir()
    assert commit_of(tmp_path / "site-packages") is None


def test_the_environment_names_what_results_depend_on() -> None:
    found = environment()
    assert found["torch"] == torch.__version__
    assert {"Python", "numpy", "apache-tvm", "twins' compiler", "vendors' compilers", "processor", "system"} <= found.keys()
    assert all(found.values())


def test_without_a_checkout_that_is_said() -> None:
    assert Provenance(None, {}).record() == {"commit": None, "environment": {}}
    assert Provenance(None, {}).facts == {"commit": "none: no checkout"}

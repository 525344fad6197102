"""Kernels that uol did not generate, edited by hand or of another version: they are run against the operator's meaning, and
what cannot be held is said to be unverified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import Result
from command_line import uol as command

import uol
from uol.bundle import write_bundles
from uol.bundle.hold import hold
from uol.bundle.manifest import manifest_text
from uol.conformance.tampered_bundles import correct_hashes
from uol.ops.inputs import kinds

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="the twin needs g++")

TEXTS = {"ascendc": "softmax.cpp", "cpu": "softmax.s", "cuda": "softmax.cu", "hip": "softmax.hip"}
Copy = Callable[[str], Path]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    @cache
    def written(target: str) -> Path:
        compiled = uol.compile("softmax", target, "f32", {"S": 4, "C": 70})
        return write_bundles([compiled], tmp_path_factory.mktemp("build"))[0]

    def copy(target: str) -> Path:
        place = tmp_path_factory.mktemp("copy") / written(target).name
        return Path(shutil.copytree(written(target), place))

    return copy


def edit(folder: Path, name: str, old: str, new: str, *, corrected: bool = True) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    if corrected:
        correct_hashes(folder)


def edit_manifest(folder: Path, **fields: Any) -> None:
    record = json.loads((folder / "manifest.json").read_text())
    assert fields.keys() <= record.keys()
    (folder / "manifest.json").write_text(manifest_text(record | fields))
    correct_hashes(folder)


def of_another_version(folder: Path) -> None:
    edit_manifest(folder, generator="0" * 64)


def outcome(result: Result, kind: str) -> list[str]:
    """The lines that begin with `kind`."""
    assert not result.err
    return [line for line in result.out.splitlines() if line.startswith(kind)]


EDITS = [  # target, what is replaced by what, the failure: nothing where the kernel stays right
    ("hip", "const float e = uol::exp(", "const float e  = 1.0f * uol::exp(", ""),
    ("hip", " - hi)", " - 0.0f)", "on steep inputs"),
    ("hip", "vector < 35", "vector <= 35", "out-of-bounds"),
    ("cuda", "{\n", "{ syntax error\n", "softmax.cu was changed: the compiler refuses it"),
    ("ascendc", "// line 3", "// line three", ""),
    ("ascendc", "WaitFlag<HardEvent::V_MTE3>(0);", "", "hazard-raw"),
    ("cpu", "\tret", "\tnop\n\tret", ""),
    ("cpu", "\tret", "\tud2\n\tret", "died (SIGILL)"),
]


@pytest.mark.parametrize(("target", "old", "new", "failure"), EDITS)
def test_edited_kernels_are_run(target: str, old: str, new: str, failure: str, bundle: Copy) -> None:
    folder = bundle(target)
    edit(folder, TEXTS[target], old, new)
    record = ("--record",) if target == "hip" else ()  # the binary follows
    result = command("check", folder, "--edited", *record)
    if failure:
        assert result.status == 1
        assert any(failure in line for line in outcome(result, "FAILED  ")), result.out
    else:
        assert result.status == 0, result.out
        (edited,) = outcome(result, "edited  ")
        assert edited == f"edited  {TEXTS[target]}: not what uol writes for the request; its kernels are run"
        (ran,) = outcome(result, "ran  kernels: edited: they compute what the operator means")
        assert ran.endswith(f"on {', '.join(kinds('softmax'))} inputs")


def test_without_being_asked_for_an_edit_is_a_failure(bundle: Copy) -> None:
    folder = bundle("hip")
    edit(folder, "softmax.hip", "// line 3", "// line three")
    result = command("check", folder)
    assert result.status == 1
    (line,) = outcome(result, "FAILED  softmax.hip ")
    assert line.startswith("FAILED  softmax.hip was changed: not what uol writes for the request; `--edited` ")


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_nothing_runs_before_the_hashes_hold(target: str, bundle: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.cli import check_command

    def run(*_: object, **__: object) -> None:
        raise AssertionError("kernels were run")

    monkeypatch.setattr(check_command, "hold_kernels", run)
    folder = bundle(target)
    of_another_version(folder)
    edit(folder, TEXTS[target], "\n", "\n\n", corrected=False)
    for options in ((), ("--edited",), ("--allow-unverified",)):
        result = command("check", folder, *options)
        assert (result.status, result.err) == (1, "")
        assert outcome(result, "FAILED") == [f"FAILED  {TEXTS[target]} was changed: its hash is not the one in the manifest"]
    with hold(folder, edited=True) as held:
        assert held.shipped is None


def test_an_edited_launch_has_the_launcher_that_uol_writes_for_it(bundle: Copy) -> None:
    folder = bundle("hip")
    kernels = json.loads((folder / "manifest.json").read_text())["kernels"]
    block = kernels[0]["block"][0]
    kernels[0]["block"] = [2 * block, 1, 1]
    edit(folder, "softmax.hip", str(block), str(2 * block))
    edit_manifest(folder, kernels=kernels)
    result = command("check", folder, "--edited")
    assert result.status == 1
    binary, launcher = outcome(result, "FAILED  ")
    assert binary.startswith("FAILED  softmax.hsaco was changed: not what ")
    assert launcher == "FAILED  softmax_host.cpp was changed: not what uol writes for the request"
    assert command("check", folder, "--edited", "--record").status == 0
    edit(folder, "softmax_host.cpp", f"block = {{{2 * block}, 1, 1}}", "block = {1, 1, 1}")
    assert command("check", folder, "--edited").status == 1


def test_an_edit_is_recorded_with_what_follows_it(bundle: Copy) -> None:
    folder = bundle("cuda")
    record = json.loads((folder / "manifest.json").read_text())
    block = record["kernels"][0]["block"][0]
    edit(folder, "softmax.cu", str(block), str(2 * block), corrected=False)
    record["kernels"][0]["block"] = [2 * block, 1, 1]
    (folder / "manifest.json").write_text(json.dumps(record))  # as an editor leaves it
    binaries = {name: (folder / name).read_bytes() for name in record["binaries"]}
    assert command("check", folder, "--edited").status == 1
    result = command("check", folder, "--edited", "--record")
    assert result.status == 0, result.out
    assert f"{2 * block}" in (folder / "softmax_host.cpp").read_text()
    assert all((folder / name).read_bytes() != content for name, content in binaries.items())
    assert command("check", folder, "--edited").status == 0
    assert command("check", folder).status == 1
    assert command("check", folder, "--record").status == 2


@pytest.mark.parametrize("target", ["hip", pytest.param("cpu", marks=pytest.mark.soak)])
def test_another_version_is_run_and_not_compared(target: str, bundle: Copy) -> None:
    folder = bundle(target)
    of_another_version(folder)
    old, new = ("// line 3", "// line three") if target == "hip" else ("\tret", "\tnop\n\tret")
    edit(folder, TEXTS[target], old, new)
    edit(folder, "build.sh", "-O", "-g -O")
    result = command("check", folder, "--json")
    assert result.status == 1
    found = json.loads(result.out)
    assert found["another_version"] == "its generator's sources are not those of this uol"
    assert not found["failures"]
    states = {each["name"]: each["state"] for each in found["files"]}
    assert states.pop(TEXTS[target]) == states.pop("build.sh") == "unverified"
    assert states.pop("softmax.hsaco", "unverified") in ("ok", "unverified")  # a comment is not in it
    assert set(states.values()) == {"ok"}
    (kernels,) = found["kernels"]
    assert kernels["state"] == "ok"
    assert kernels["what"].startswith("of another version (its generator's sources are not those of this uol): they compute")
    assert command("check", folder, "--allow-unverified").status == 0


def test_a_wrong_kernel_of_another_version_is_found(bundle: Copy) -> None:
    folder = bundle("hip")
    of_another_version(folder)
    edit(folder, "softmax.hip", "e * z_inv", "e * z")
    result = command("check", folder, "--allow-unverified")
    assert result.status == 1
    assert outcome(result, "FAILED  kernels: of another version ")


def test_another_text_of_the_librarys_operator_is_another_version(bundle: Copy) -> None:
    """Its kernels are held against the text in the manifest; the library's own is not touched."""
    folder = bundle("hip")
    text = json.loads((folder / "manifest.json").read_text())["text"]
    edit_manifest(folder, text=text.replace("e[*s, c] / z[*s]", "z[*s] / e[*s, c]"))
    result = command("check", folder, "--allow-unverified")
    assert result.status == 1
    assert outcome(result, "FAILED  kernels: of another version (the library's text of softmax is another one): y: beyond")
    assert command("show", "softmax").out.strip() == text


def test_launches_of_another_version_that_cannot_be(bundle: Copy) -> None:
    folder = bundle("hip")
    of_another_version(folder)
    kernels = json.loads((folder / "manifest.json").read_text())["kernels"]
    kernels[0]["name"] = 'softmax_kernel}; int x = system("true"); namespace {'
    edit_manifest(folder, kernels=kernels)
    result = command("check", folder, "--allow-unverified")
    assert result.status == 1
    assert outcome(result, "FAILED  kernels: they cannot be run") or outcome(result, "FAILED  kernels was changed")

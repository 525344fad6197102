"""`uol check`: what it says where a tool is missing, of another machine's bundle, and of what is no bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import uol as command

import uol
from uol.backends import registry
from uol.backends.cpu import caches
from uol.bundle import write_bundles
from uol.bundle.elf import difference, loaded
from uol.bundle.hold import hold
from uol.bundle.manifest import manifest_text
from uol.bundle.selftest import content_hash
from uol.conformance.tampered_bundles import correct_hashes
from uol.ir.syntax.parser import parse
from uol.operators.registry import is_known, substituted

Copy = Callable[[str], Path]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    @cache
    def written(target: str) -> Path:
        compiled = uol.compile("layer_norm", target, "f32", {"S": 3, "C": 17})
        return write_bundles([compiled], tmp_path_factory.mktemp("build"))[0]

    return lambda target: Path(shutil.copytree(written(target), tmp_path_factory.mktemp("copy") / written(target).name))


def states(folder: Path) -> dict[str, tuple[str, str]]:
    """What does not hold, with what is said of it."""
    with hold(folder) as found:
        return {h.name: (h.state, h.what) for h in found.held if h.state != "ok"}


def fields(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def has_nvrtc() -> bool:
    return any(tool.found for tool in registry.get("cuda").doctor() if tool.name == "NVRTC")


@pytest.mark.skipif(not has_nvrtc(), reason="NVRTC is not installed")
def test_a_binary_whose_compiler_is_missing_is_unverified(bundle: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.backends.cuda import toolchain

    folder = bundle("cuda")
    assert command("check", folder).status == 0
    monkeypatch.setattr(toolchain.nvrtc, "library", lambda: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    by = fields(folder)["compiler"]
    said = ("unverified", f"{by} made it, which is not here")
    assert states(folder) == {
        "layer_norm.cubin": said,
        "layer_norm.ptx": said,
        "compiler": ("unverified", f"{by} made the binaries, here is none"),
    }
    result = command("check", folder)
    assert (result.status, result.err) == (1, "")
    assert f"unverified  layer_norm.cubin: {by} made it, which is not here" in result.out
    assert json.loads(command("check", folder, "--json").out)["passed"] is False
    assert command("check", folder, "--allow-unverified").status == 0


@pytest.mark.skipif(not has_nvrtc(), reason="NVRTC is not installed")
def test_a_binary_of_another_compiler_is_unverified(bundle: Copy) -> None:
    folder = bundle("cuda")
    content = bytearray((folder / "layer_norm.cubin").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "layer_norm.cubin").write_bytes(content)
    here = fields(folder)["compiler"]
    (folder / "manifest.json").write_text(manifest_text(fields(folder) | {"compiler": "NVRTC 12.4"}))
    correct_hashes(folder)
    assert states(folder) == {
        "layer_norm.cubin": ("unverified", f"NVRTC 12.4 made it, here is {here}, which makes another one"),
        "compiler": ("unverified", f"NVRTC 12.4 made the binaries, here is {here}"),
    }


def test_a_library_whose_compiler_is_missing_is_unverified(
    bundle: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target, folder in ((target, bundle(target)) for target in ("ascendc", "hip")):
        (folder / "libuol_layer_norm.so").write_bytes(b"anything")
        tools = tmp_path / target
        tools.mkdir()
        (tools / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
        monkeypatch.setenv("PATH", str(tools))
        monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
        ((name, (state, what)),) = states(folder).items()
        assert (name, state) == ("libuol_layer_norm.so", "unverified")
        assert what.startswith("its build line does not run here: ")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_library_that_is_linked_elsewhere_differs_in_nothing_that_is_loaded(bundle: Copy) -> None:
    folder = bundle("cpu")
    subprocess.run(["sh", "build.sh"], cwd=folder, check=True)
    library = folder / "libuol_layer_norm.so"
    whole = library.read_bytes()
    stripped = whole[:-64]  # of the section headers, which nobody loads
    assert stripped != whole and loaded(stripped) == loaded(whole)
    library.write_bytes(stripped)
    assert states(folder) == {}
    for content, what in (
        (b"\x7fELF", "it is no shared library of this kind of machine, or damaged"),
        (whole[:4096], "it is no shared library of this kind of machine, or damaged"),
    ):
        library.write_bytes(content)
        assert states(folder) == {library.name: ("changed", what)}
    segments = loaded(whole)
    assert segments is not None
    assert difference(segments, segments[:-1]) == "layout"
    library.unlink()
    library.symlink_to("/etc/passwd")
    assert states(folder) == {library.name: ("changed", "it is no plain file")}


THREADS, PROCESSOR = {"UOL_NUM_THREADS": "7"}, {"UOL_CPU": "x86-64-v2"}


@pytest.mark.parametrize("variables", [THREADS, PROCESSOR], ids=["threads", "processor"])
def test_a_cpu_bundle_is_generated_as_for_the_machine_that_wrote_it(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number of threads cuts kernels otherwise, another processor has other instructions."""
    sizes = {"S": 1, "C": 1 << 18}
    here = uol.compile("sum", dims=sizes).bundle(tmp_path / "here")
    with monkeypatch.context() as elsewhere:
        for name, value in variables.items():
            elsewhere.setenv(name, value)
        folder = uol.compile("sum", dims=sizes).bundle(tmp_path)
    assert (folder / "sum.s").read_bytes() != (here / "sum.s").read_bytes()
    assert fields(folder)["environment"].items() >= variables.items()
    before = dict(os.environ)
    assert states(folder) == {}
    assert dict(os.environ) == before
    result = command("check", folder)
    if variables is PROCESSOR:
        assert result.status == 1
        assert "unverified  kernels: they do not run here: they are for the processor x86-64-v2, this one is" in result.out
        result = command("check", folder, "--allow-unverified")
        assert result.status == 0
        assert result.out.endswith(" fields of the manifest, no kernel was run\n")
    else:
        assert result.status == 0, result.out


def test_a_cpu_bundle_is_generated_for_the_caches_of_the_machine_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another processor they would be stated ones if they were not recorded."""
    sizes = {"S": 64, "K": 600, "N": 64}
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("UOL_CPU", PROCESSOR["UOL_CPU"])
        here = uol.compile("linear", dims=sizes).bundle(tmp_path / "here")
        elsewhere.setenv("UOL_CPU_CACHES", "64K,1024K")
        folder = uol.compile("linear", dims=sizes).bundle(tmp_path)
    assert (folder / "linear.s").read_bytes() != (here / "linear.s").read_bytes()
    assert states(folder) == states(here) == {}
    monkeypatch.setattr(caches, "this_machine", lambda: caches.Reading(64 << 10, 1 << 20))
    assert states(folder) == states(here) == {}


@pytest.mark.skipif(shutil.which("g++") is None, reason="the twin needs g++")
def test_a_recorded_run_is_run_again(tmp_path: Path) -> None:
    command("compile", "relu", "--target", "hip", "--dims", "S=5", "--check", "-o", tmp_path)
    folder = tmp_path / "relu-hip-mi250x"
    record = fields(folder)
    run = record["conformance"]
    assert run["passed"] is True
    assert command("check", folder).status == 0

    def outcome(**changes: object) -> tuple[int, str]:
        (folder / "manifest.json").write_text(manifest_text(record | {"conformance": run | changes}))
        correct_hashes(folder)
        result = command("check", folder)
        return result.status, result.out.splitlines()[0]

    assert outcome(seed=1) == (1, "FAILED  manifest.json: conformance was changed: a run here has another outcome")
    better = {"y": run["results"]["y"] | {"share": -1.0}}
    said = "unverified  manifest.json: conformance: a run here has the same outcome, with other numbers"
    assert outcome(results=better) == (1, said)
    assert outcome()[0] == 0


NO_BUNDLES = {
    "nested": ("[" * 100_000, "it is nested too deeply"),
    "nested object": ('{"format": ' * 100_000, "it is nested too deeply"),
    "no JSON": ("{", "Expecting property name"),
    "no object": ("[]", "it is no JSON object"),
    "other JSON": ('{"name": "left-pad", "files": []}', "it has no format"),
    "empty": ("", "Expecting value"),
}


@pytest.mark.parametrize("kind", NO_BUNDLES)
def test_what_is_no_manifest_is_refused(kind: str, tmp_path: Path) -> None:
    text, message = NO_BUNDLES[kind]
    (tmp_path / "manifest.json").write_text(text)
    result = command("check", tmp_path)
    assert result.status == 2
    assert f"{tmp_path}/manifest.json is no manifest of a bundle: {message}" in result.err
    assert "help: write the bundle anew with `uol compile -o`" in result.err


@pytest.mark.parametrize("number", [5, 7, "6", True, None])
def test_an_unknown_format_is_refused(number: object, bundle: Copy) -> None:
    folder = bundle("hip")
    (folder / "manifest.json").write_text(json.dumps(fields(folder) | {"format": number}))
    result = command("check", folder)
    assert result.status == 2
    assert f"is of the format {json.dumps(number)}, and this uol reads 6" in result.err
    assert "help: check it with the uol that wrote it (" in result.err


def test_a_field_that_is_nested_deeply_is_no_request(bundle: Copy) -> None:
    folder = bundle("hip")
    text = fields(folder)["text"].replace("+ eps)", "+ " + "abs(" * 5000 + "eps" + ")" * 5000 + ")")
    assert text != fields(folder)["text"]
    (folder / "manifest.json").write_text(manifest_text(fields(folder) | {"text": text}))
    correct_hashes(folder)
    result = command("check", folder)
    assert (result.status, result.err) == (1, "")
    assert result.out.startswith("FAILED  manifest.json was changed: uol writes no bundle for its request: ")


@pytest.mark.parametrize(
    "change",
    [
        {"dims": 3},
        {"dims": {"C": "17"}},
        {"dims": {"C": -17}},
        {"dims": {"C": 10**30}},
        {"types": {"T": ["f32"]}},
        {"packs": {"S": 3}},
        {"target": "hip:mi250"},
        {"target": 3},
        {"attributes": {"eps": "small"}},
        {"layouts": {"x": "row"}},
        {"callees": [3]},
        {"text": ""},
        {"text": None},
        {"files": "none"},
        {"kernels": 3},
        {"tools": 3},
        {"binaries": {}},
        {"environment": None},
    ],
    ids=str,
)
def test_fields_of_another_form_are_found(change: dict[str, object], bundle: Copy) -> None:
    folder = bundle("hip")
    (folder / "manifest.json").write_text(json.dumps(fields(folder) | change))
    result = command("check", folder)
    assert (result.status, result.err) == (1, "")
    assert "FAILED  " in result.out


def test_a_manifest_that_says_a_field_twice_is_changed(bundle: Copy) -> None:
    folder = bundle("hip")
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('{\n  "format"', '{\n  "build": "rm -rf /",\n  "format"'))
    assert states(folder) == {"manifest.json": ("changed", "its bytes are not those that its fields are written as")}


def test_a_link_is_no_file_of_a_bundle(bundle: Copy) -> None:
    folder = bundle("hip")
    shutil.move(folder / "uol_abi.h", folder.parent / "uol_abi.h")
    (folder / "uol_abi.h").symlink_to(folder.parent / "uol_abi.h")
    (folder / "device").symlink_to("/dev/zero")
    assert states(folder) == {
        "uol_abi.h": ("changed", "it is a link, or no plain file"),
        "device": ("added", "it is a link, or no plain file"),
    }


def test_a_name_in_the_manifest_opens_nothing_outside(bundle: Copy) -> None:
    folder = bundle("hip")
    files = fields(folder)["files"] | {"../../../../etc/passwd": "0" * 64}
    (folder / "manifest.json").write_text(manifest_text(fields(folder) | {"files": files}))
    assert states(folder)["../../../../etc/passwd"] == ("missing", "the manifest names it")


def selftest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command_line = [sys.executable, "selftest.py", *arguments]
    return subprocess.run(command_line, cwd=folder, capture_output=True, text=True, check=False)


def test_the_self_test_imports_nothing_of_the_bundle(bundle: Copy) -> None:
    folder = bundle("hip")
    for name in ("hashlib.py", "json.py", "shlex.py", "uol.py", "subprocess.py"):
        (folder / name).write_text("print('planted')\nraise SystemExit(0)\n")
    run = selftest(folder)
    assert run.returncode == 1
    assert "FAILED  json.py is not named in the manifest" in run.stdout
    assert "planted" not in run.stdout


def test_the_self_test_reads_the_whole_manifest(bundle: Copy) -> None:
    folder = bundle("hip")
    record = fields(folder)
    corrected = {"kernels": [], "content_hash": content_hash(record | {"kernels": []})}
    for change, said in (
        ({"files": {}}, "FAILED  build.sh is not named in the manifest"),
        ({"kernels": []}, "FAILED  manifest.json was changed"),
        (corrected, "passed  files\nFAILED  manifest.json: kernels was changed"),
    ):
        (folder / "manifest.json").write_text(manifest_text(record | change))
        run = selftest(folder)
        assert run.returncode == 1
        assert said in run.stdout
    (folder / "manifest.json").write_text("[" * 100_000)
    run = selftest(folder)
    assert (run.returncode, run.stdout) == (2, "")
    assert "is no manifest of a bundle" in run.stderr and "Traceback" not in run.stderr


OWN = """# a comment

op own_scale(x: T[*S]; by: float = 2)
    -> (y: T[*S])   for T in (f64, f32)
{ y[*s] = T(acc(x[*s]) * by) }
op own_softmax(x: T[*S, C]) -> (y: T[*S, C]) for T in (f64, f32) { y[*s, c] = softmax(own_scale(x))[*s, c] }
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="the twin needs g++")
def test_an_operator_of_ones_own_is_held_as_well(tmp_path: Path) -> None:
    """Its text stands in the manifest alone: the process that checks does not know it."""
    ops = parse(OWN, "own.uol")
    with substituted(ops):
        folder = uol.compile(ops[-1], "hip", "f32", {"S": 3, "C": 9}).bundle(tmp_path)
    assert not is_known("own_softmax") and not is_known("own_scale")
    result = command("check", folder)
    assert result.status == 0, result.out + result.err
    assert not is_known("own_softmax") and not is_known("own_scale")


def test_more_memory_than_a_device_has_is_said() -> None:
    """Rows of 4 GiB, whose order takes runs of keys, twice."""
    result = command("compile", "sort", "--target", "cuda", "--dims", "S=32,C=1073741824")
    assert result.status == 0
    said = "sort needs 256 GiB of workspace beside 256 GiB of tensors, and cuda:a100 has 80 GiB of memory"
    assert result.err == f"warning: {said}\n"
    assert command("compile", "sort", "--target", "cuda", "--dims", "S=4,C=64").err == ""
    with pytest.warns(uol.binding.memory.MemoryDemandWarning, match="256 GiB of workspace"):
        uol.compile("sort", "cuda", dims={"S": 32, "C": 1 << 30})

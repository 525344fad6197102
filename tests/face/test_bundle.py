"""Bundles: what lies in them, and that they are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toy_backend import ToyBackend

import uol
from uol.bundle import write_bundles
from uol.codegen.backend import Artifact, Device, Kernel, Module, SourceFile
from uol.codegen.specs.graph import KernelGraph
from uol.ir.errors import MissingToolError, ResourceError, ToolchainError

pytestmark = pytest.mark.usefixtures("toy", "own_cache")


def compiled(**dims: int) -> uol.Compiled:
    return uol.compile("layer_norm", "toy", "f32", dims or {"S": 4, "C": 6})


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_the_manifest_says_what_it_is(tmp_path: Path) -> None:
    folder = compiled().bundle(tmp_path)
    assert folder == tmp_path / "layer_norm-toy-host"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["text"].startswith("op layer_norm(x: T[*S, C], gamma: T[C], beta: T[C]; eps: float = 1e-05)")
    assert (manifest["target"], manifest["architecture"]) == ("toy:host", "python")
    assert (manifest["types"], manifest["dims"], manifest["packs"]) == ({"T": "f32"}, {"C": 6}, {"S": [4]})
    assert manifest["attributes"] == {"eps": 1e-5}
    assert manifest["run_time_attributes"] == [{"name": "eps", "dtype": "f32"}]
    assert [(a["name"], a["dtype"], a["shape"], a["strides"], a["role"]) for a in manifest["arguments"]] == [
        ("x", "f32", [4, 6], [6, 1], "in"),
        ("gamma", "f32", [6], [1], "in"),
        ("beta", "f32", [6], [1], "in"),
        ("y", "f32", [4, 6], [6, 1], "out"),
    ]
    assert all((k["schedule"], k["layout"]) == ("kind=whole", "all elements at once") for k in manifest["kernels"])
    assert manifest["conformance"] is None
    assert {"uol", "apache-tvm", "python"} <= manifest["tools"].keys()


def test_the_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    folder = compiled().bundle(tmp_path)
    files = files_of(folder)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    first = files_of(compiled().bundle(tmp_path / "a"))
    assert files_of(compiled().bundle(tmp_path / "b")) == first
    assert files_of(compiled(S=4, C=7).bundle(tmp_path / "c")) != first


def names_in(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir() if p.name != "cache"}


def test_a_bundle_takes_the_place_of_one_for_the_same_request(tmp_path: Path) -> None:
    folder = compiled().bundle(tmp_path)
    (folder / "manifest.json").write_text(json.dumps(json.loads((folder / "manifest.json").read_text())))
    before = files_of(folder)
    assert compiled().bundle(tmp_path) == folder
    assert files_of(folder) != before
    assert names_in(tmp_path) == {"layer_norm-toy-host"}


def test_another_size_type_or_attribute_goes_beside(tmp_path: Path) -> None:
    first = compiled().bundle(tmp_path)
    before = files_of(first)
    others = [
        compiled(S=2, C=2),
        uol.compile("layer_norm", "toy", "f64", {"S": 4, "C": 6}),
        uol.compile("layer_norm", "toy", "f32", {"S": 4, "C": 6}, {"eps": 0.5}),
        uol.compile("layer_norm", "toy", "f32", {"S": 4, "C": 6}, {"eps": 0.25}),
    ]
    names = [each.bundle(tmp_path).name for each in others]
    assert names == [
        "layer_norm-toy-host-f32-C2-S2",
        "layer_norm-toy-host-f64-C6-S4",
        "layer_norm-toy-host-f32-C6-S4",
        "layer_norm-toy-host-f32-C6-S4-eps0.25",
    ]
    assert files_of(first) == before
    assert [each.bundle(tmp_path).name for each in (compiled(), *others)] == [first.name, *names]
    assert names_in(tmp_path) == {first.name, *names}


def test_two_sizes_that_are_written_together_do_not_meet(tmp_path: Path) -> None:
    folders = write_bundles([compiled(), compiled(S=2, C=2), compiled()], tmp_path)
    assert [f.name for f in folders] == ["layer_norm-toy-host", "layer_norm-toy-host-f32-C2-S2", "layer_norm-toy-host"]
    assert json.loads((folders[0] / "manifest.json").read_text())["dims"] == {"C": 6}


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def assemble(self: ToyBackend, graph: object, kernels: object, device: object) -> Module:
        whole = original(self, graph, kernels, device)
        return replace(whole, host=(SourceFile("x" * 300, "a name that no file system takes"),))

    original = ToyBackend.assemble
    monkeypatch.setattr(ToyBackend, "assemble", assemble)
    with pytest.raises(ResourceError, match="cannot write bundles"):
        compiled().bundle(tmp_path / "build")
    assert not (tmp_path / "build").exists()


def test_several_targets_are_written_together(tmp_path: Path) -> None:
    both = [compiled(), uol.compile("relu", "toy", "f32", {"S": 3})]
    folders = write_bundles(both, tmp_path / "build", {"toy:host": {"passed": True}})
    assert [f.name for f in folders] == ["layer_norm-toy-host", "relu-toy-host"]
    assert json.loads((folders[0] / "manifest.json").read_text())["conformance"] == {"passed": True}


def with_products(monkeypatch: pytest.MonkeyPatch, build: Callable[[ToyBackend, Module], Artifact]) -> None:
    """The toy's bundles carry a binary, which `build` makes."""

    def assemble(self: ToyBackend, graph: KernelGraph, kernels: tuple[Kernel, ...], device: Device) -> Module:
        return replace(original(self, graph, kernels, device), products=(f"{graph.name}.obj",))

    original = ToyBackend.assemble
    monkeypatch.setattr(ToyBackend, "assemble", assemble)
    monkeypatch.setattr(ToyBackend, "build", build)


def test_a_bundle_carries_what_the_compiler_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256))
    files = {"layer_norm.obj": content, "layer_norm.lst": b"not shipped"}
    with_products(monkeypatch, lambda self, module: Artifact(module, b"", None, "", files))
    folder = compiled().bundle(tmp_path)
    assert (folder / "layer_norm.obj").read_bytes() == content
    assert not (folder / "layer_norm.lst").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["binaries"] == ["layer_norm.obj"]
    assert manifest["files"]["layer_norm.obj"] == hashlib.sha256(content).hexdigest()
    (folder / "layer_norm.obj").write_bytes(content[::-1])
    assert selftest(folder).stdout == "FAILED  layer_norm.obj was changed\n"


def test_without_the_compiler_a_bundle_carries_text_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(self: ToyBackend, module: Module) -> Artifact:
        raise MissingToolError("toycc was not found")

    with_products(monkeypatch, build)
    folder = compiled().bundle(tmp_path)
    assert json.loads((folder / "manifest.json").read_text())["binaries"] == []
    assert not (folder / "layer_norm.obj").exists()


def test_a_text_that_the_compiler_refuses_is_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(self: ToyBackend, module: Module) -> Artifact:
        raise ToolchainError("toycc refused the text")

    with_products(monkeypatch, build)
    with pytest.raises(ToolchainError, match="refused"):
        compiled().bundle(tmp_path / "build")
    assert not (tmp_path / "build").exists()


def selftest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "selftest.py"], cwd=folder, capture_output=True, text=True)


def test_the_self_test_sees_a_changed_file(tmp_path: Path) -> None:
    folder = compiled().bundle(tmp_path)
    (folder / "layer_norm.py").write_text("def layer_norm(): ...\n")
    (folder / "build.sh").unlink()
    run = selftest(folder)
    assert run.returncode == 1
    assert run.stdout == "FAILED  build.sh is missing\nFAILED  layer_norm.py was changed\n"


def test_the_self_test_needs_no_uol_for_the_files(tmp_path: Path) -> None:
    run = selftest(compiled().bundle(tmp_path), "-I", "-S")
    assert run.returncode == 3
    assert run.stdout == "passed  files\nnot run kernels: uol is not installed\n"


@pytest.mark.skipif(shutil.which("g++") is None, reason="the twin needs g++")
def test_the_self_test_runs_the_kernels(own_cache_with_twins: Path, tmp_path: Path) -> None:
    run = selftest(uol.compile("softmax", "cuda", "f16", {"S": 3, "C": 33}).bundle(tmp_path))
    assert run.stdout == "passed  files\npassed  17 files, 29 fields of the manifest, kernels\n", run.stderr
    assert run.returncode == 0

"""Every kind of tampering with every file and every field of a bundle is found, on every target."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from command_line import uol as command
from turns import by_turns

import uol
from uol.backends import registry
from uol.bundle import hold as holding
from uol.bundle import write_bundles
from uol.bundle.contents import Binaries, binaries_of
from uol.conformance.tampered_bundles import Tampering, contents, tamperings
from uol.ir.errors import UolError

TARGETS = ("ascendc", "cpu", "cuda", "hip")
LINKED = ("cpu", "cuda")
"""Targets whose libraries are linked here: of links that are the same every time, and of those that are not."""


@dataclass
class Written:
    """A bundle as it was written, another with the library that its build line makes, and every way to tamper with them."""

    plain: Path
    built: Path
    tamperings: list[Tampering] = field(default_factory=list)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    @cache
    def make(target: str) -> Written:
        compiled = uol.compile("softmax", target, "f32", {"S": 5, "C": 33})
        (plain,) = write_bundles([compiled], tmp_path_factory.mktemp("plain"))
        built = Path(shutil.copytree(plain, tmp_path_factory.mktemp("built") / plain.name))
        if target in LINKED:
            subprocess.run(["sh", "build.sh"], cwd=built, capture_output=True, check=False)
        return Written(plain, built, list(tamperings(built)))

    return make


@pytest.fixture
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text is compiled once, though hundreds of checks want its binaries."""
    kept: dict[str, Binaries] = {}

    def binaries(compiled: uol.Compiled, module: uol.codegen.backend.Module | None = None) -> Binaries:
        text = (module or compiled.module).device.text
        if text not in kept:
            kept[text] = binaries_of(compiled, module)
        return kept[text]

    monkeypatch.setattr(holding, "binaries_of", binaries)


def is_found(folder: Path) -> bool:
    """Does the check of files and fields fail, before anything runs?"""
    try:
        with holding.hold(folder) as bundle:
            return any(held.state != "ok" for held in bundle.held)
    except UolError:
        return True


@pytest.mark.usefixtures("built_once")
@pytest.mark.parametrize(("quarter", "target"), by_turns(4, range(4), TARGETS))
def test_every_tampering_is_found(quarter: int, target: str, written: Callable[[str], Written], tmp_path: Path) -> None:
    """A quarter of them, drawn so that every way with every kind of file may be among them."""
    bundle = written(target)
    assert not is_found(bundle.plain)
    missed = []
    ways = [t for t in bundle.tamperings if t.what in contents(bundle.plain) or t.what.startswith(("another", "manifest"))]
    random.Random(0).shuffle(ways)
    tried = ways[quarter::4]
    for tampering in tried:
        copy = Path(shutil.copytree(bundle.plain, tmp_path / bundle.plain.name))
        tampering.apply(copy)
        if not is_found(copy):
            missed.append(str(tampering))
        shutil.rmtree(copy)
    assert len(ways) > 120
    unseen = "manifest conformance changed, hash corrected"  # which a run finds: below
    assert missed == [str(t) for t in tried if str(t) == unseen]


@pytest.mark.parametrize("target", LINKED)
def test_a_library_that_was_built_there_is_held_by_what_is_loaded(
    target: str, written: Callable[[str], Written], tmp_path: Path
) -> None:
    bundle = written(target)
    name = "libuol_softmax.so"
    if not (bundle.built / name).is_file():
        pytest.skip("its compiler is not here")
    with holding.hold(bundle.built) as found:
        assert [(h.name, h.state) for h in found.held if h.state != "ok" or h.name == name] == [(name, "ok")]
    (change,) = {t.how: t for t in bundle.tamperings if t.what == name}.values()
    copy = Path(shutil.copytree(bundle.built, tmp_path / bundle.built.name))
    change.apply(copy)
    with holding.hold(copy) as found:
        (held,) = (h for h in found.held if h.state != "ok")
    assert (held.name, held.state, held.what) == (
        name,
        "changed",
        "its code is not what the build line makes of the texts here",
    )


KINDS = {  # of the table: what is tampered with, on which targets
    "source": {"ascendc": "softmax.cpp", "cpu": "softmax.tir.py", "cuda": "softmax.cu", "hip": "softmax.hip"},
    "header": dict.fromkeys(TARGETS, "uol_abi.h"),
    "launcher": dict.fromkeys(TARGETS, "softmax_host.cpp"),
    "PyTorch": dict.fromkeys(TARGETS, "torch_extension.py"),
    "build.sh": dict.fromkeys(TARGETS, "build.sh"),
    "selftest": dict.fromkeys(TARGETS, "selftest.py"),
    "binary": {"cuda": "softmax.cubin", "hip": "softmax.hsaco"},
    "assembly": {"cpu": "softmax.s", "cuda": "softmax.ptx"},
    "manifest field": dict.fromkeys(TARGETS, "manifest kernels"),
}
WAYS = ("changed", "missing", "added", "changed, hash corrected", "missing, hash corrected", "added, hash corrected")


def test_the_table_is_whole(written: Callable[[str], Written]) -> None:
    """Each kind of file on each target is tampered with in every way."""
    for kind, files in KINDS.items():
        for target, name in files.items():
            done = {str(t) for t in written(target).tamperings}
            other = "manifest another_field" if kind == "manifest field" else f"another{Path(name).suffix}"
            for way in WAYS:
                assert f"{other if way.startswith('added') else name} {way}" in done, (kind, target, way)


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("cpu", "softmax.s changed, hash corrected"),
        ("cuda", "softmax.cubin changed, hash corrected"),
        ("hip", "softmax_host.cpp missing"),
        ("ascendc", "another.cpp added, hash corrected"),
        ("hip", "manifest files emptied"),
        ("ascendc", "manifest conformance changed, hash corrected"),
    ],
)
def test_the_exit_status_is_1(target: str, what: str, written: Callable[[str], Written], tmp_path: Path) -> None:
    bundle = written(target)
    copy = Path(shutil.copytree(bundle.plain, tmp_path / bundle.plain.name))
    next(t for t in bundle.tamperings if str(t) == what).apply(copy)
    result = command("check", copy)
    assert result.status == 1, result.err
    assert "FAILED  " in result.out


@pytest.mark.parametrize("target", registry.names())
def test_a_bundle_as_it_was_written_passes(target: str, written: Callable[[str], Written]) -> None:
    result = command("check", written(target).plain)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("passed  ") and result.out.endswith(" fields of the manifest, kernels\n")

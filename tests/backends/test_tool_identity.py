"""Which build of a tool is installed is known without running it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from uol.backends import registry
from uol.backends.toolchain import tool_identity
from uol.backends.toolchain.tool_identity import ABSENT, identity_of, programs_of, tool


def program(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    os.utime(path, (0, 0))  # as packages of a reproducible build have it
    return path


def test_the_content_counts_and_not_the_time(tmp_path: Path) -> None:
    path = program(tmp_path / "as", b"\x7fELF one")
    first = identity_of(str(path))
    assert identity_of(str(program(path, b"\x7fELF one"))) == first
    tool_identity._identity.cache_clear()
    assert identity_of(str(program(path, b"\x7fELF two"))) != first


def test_an_upgrade_within_a_process_counts(tmp_path: Path) -> None:
    path = program(tmp_path / "as", b"\x7fELF one")
    first = identity_of(str(path))
    path.unlink()
    assert identity_of(str(program(path, b"\x7fELF two"))) != first  # of the same size and time


def test_a_large_file_counts_by_size_and_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_identity, "READ_BYTES", 4)
    path = program(tmp_path / "libnvrtc.so", b"one..")
    first = identity_of(str(path))
    assert identity_of(str(path)) == first
    assert identity_of(str(program(path, b"longer"))) != first
    assert identity_of(str(program(path, b"two.."))) != first  # of the same size and time, put there later


def test_a_script_counts_with_what_it_runs(tmp_path: Path) -> None:
    inner = program(tmp_path / "toolkit" / "bin" / "nvcc", b"\x7fELF one")
    outer = program(tmp_path / "nvcc", f'#!/bin/sh\nexec {inner} "$@"\n'.encode())
    assert str(inner) in programs_of(str(outer))
    first = identity_of(str(outer))
    inner.unlink()
    program(inner, b"\x7fELF two")
    assert identity_of(str(outer)) != first


def test_a_link_counts_as_what_it_points_to(tmp_path: Path) -> None:
    for version in ("12", "13"):
        program(tmp_path / f"gcc-{version}", version.encode())
    link = tmp_path / "gcc"
    found = []
    for version in ("12", "13"):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / f"gcc-{version}")
        found.append(identity_of(str(link)))
    assert found[0] != found[1]


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    assert {identity_of(None), identity_of(str(tmp_path / "none")), tool("no-such-tool")} == {ABSENT}


PLACES = {"cpu": ("as", "ld"), "cuda": ("nvcc",), "hip": ("hipcc", "clang++-17"), "ascendc": ("bisheng",)}


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, names in PLACES.items() for name in names])
def test_each_tool_of_a_target_counts(target: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uol.backends.cuda.nvrtc.installed", lambda: [])
    for other in PLACES[target]:
        program(tmp_path / other, b"\x7fELF 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HIP_CLANG_PATH", str(tmp_path))
    backend = registry.get(target)
    before = dict(backend.build_tools())
    assert dict(backend.build_tools()) == before
    program(tmp_path / name, b"\x7fELF 1.1")
    assert dict(backend.build_tools()) != before


def test_nvrtc_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = program(tmp_path / "libnvrtc.so.13", b"13.0")
    monkeypatch.setattr("uol.backends.cuda.nvrtc.installed", lambda: [str(library)])
    before = dict(registry.get("cuda").build_tools())
    program(library, b"13.0.1")
    assert dict(registry.get("cuda").build_tools()) != before


@pytest.mark.parametrize("target", PLACES)
def test_no_tool_is_run(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: object, **options: object) -> None:
        raise AssertionError(f"{arguments} was run")

    for name in ("run", "Popen", "check_output"):
        monkeypatch.setattr(subprocess, name, run)
    monkeypatch.setattr(os, "popen", run)
    backend = registry.get(target)
    backend.machine()
    backend.build_tools()

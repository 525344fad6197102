"""A full disk is called one, whoever finds it, with the folder and what to do."""

from __future__ import annotations

import dataclasses
import errno
import os
import tempfile
from pathlib import Path

import pytest

import uol
from uol.backends.cache import disk_errors, files
from uol.backends.cache.disk_errors import build_folder, is_full
from uol.backends.cache.files import DiskCache, Key
from uol.backends.cpu.runtime import objectcode, thread_pool
from uol.backends.toolchain.shared_library import load_bytes
from uol.ir.errors import ResourceError, ToolchainError

SAID = "Fatal error: can't write 3 bytes to section .text of kernels.o: No space left on device"


def full(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The temporary folder of this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return str(tmp_path)


def is_said(error: ResourceError, folder: str, variable: str) -> bool:
    hint = f"make room there, or set {variable} to a folder on a disk with more"
    return "there is no room in the" in error.message and repr(folder) in error.message and error.hint == hint


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_what_the_system_says_of_a_build(error: int, temporary: str) -> None:
    with pytest.raises(ResourceError, match=os.strerror(error)) as caught, build_folder():
        raise OSError(error, os.strerror(error))
    assert is_said(caught.value, temporary, "TMPDIR")
    assert not list(Path(temporary).iterdir())


def test_what_a_tool_says_of_a_build(temporary: str) -> None:
    with pytest.raises(ResourceError) as caught, build_folder():
        raise ToolchainError("as failed on kernels.s", hint=SAID)
    assert is_said(caught.value, temporary, "TMPDIR")


def test_a_tool_that_says_nothing_on_a_full_disk(temporary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = dataclasses.make_dataclass("usage", ["free"])
    monkeypatch.setattr(disk_errors.shutil, "disk_usage", lambda folder: usage(0))
    with pytest.raises(ResourceError) as caught, build_folder():
        raise ToolchainError("as was killed")
    assert is_said(caught.value, temporary, "TMPDIR")


def test_other_failures_of_a_build_are_what_they_are(temporary: str) -> None:
    with pytest.raises(ToolchainError, match="as refused a kernel"), build_folder():
        raise ToolchainError("as refused a kernel")
    with pytest.raises(FileNotFoundError), build_folder():
        (Path(temporary) / "none").read_text()


def test_without_any_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    for use in (build_folder().__enter__, lambda: load_bytes(b"")):
        with pytest.raises(ResourceError, match=f"the temporary folder '{tmp_path}/none' cannot be written") as caught:
            use()
        assert caught.value.hint == "set TMPDIR to a folder that can be written"


def tool_that_fails(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{SAID}" >&2\nexit 1\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return str(path)


def test_the_assembler_and_the_thread_pool_s_compiler(temporary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool_that_fails(tmp_path, "as", monkeypatch)
    compiler = tool_that_fails(tmp_path, "cc", monkeypatch)
    for build in (lambda: objectcode.linked(".text\n"), lambda: thread_pool._built(compiler)):
        with pytest.raises(ResourceError) as caught:
            build()
        assert is_said(caught.value, temporary, "TMPDIR")


@pytest.mark.parametrize(("target", "tool"), [("hip", "hipcc"), ("cuda", "nvcc"), ("ascendc", "bisheng")])
def test_the_vendors_compilers(
    target: str, tool: str, temporary: str, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = uol.compile("relu", target, dims={"S": 64})
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))
    tool_that_fails(tmp_path, tool, monkeypatch)
    monkeypatch.setattr("uol.backends.cuda.nvrtc.library", lambda: None)
    for other in ("clang", "hiprtc"):
        monkeypatch.setattr(f"uol.backends.hip.{other}.find", lambda: None)
    with pytest.raises(ResourceError) as caught:
        kernel.request.target.backend.build(kernel.module)
    assert is_said(caught.value, temporary, "TMPDIR")


def test_the_cache(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(ResourceError) as caught:
        DiskCache(own_cache).get_or_make(Key({"op": "relu"}), lambda: b"payload")
    assert is_said(caught.value, str(own_cache), "UOL_CACHE_DIR")
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_disk_with_room_is_not_full(tmp_path: Path) -> None:
    assert not is_full(tmp_path, "error: expected ';' after expression")
    assert not is_full(tmp_path / "none")

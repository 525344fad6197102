"""Where the cache lies, and that no one else can put anything there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from uol.backends.cache import files as module
from uol.backends.cache.files import CacheWarning, Key, cache_folder, chosen_folder, distrust, open_cache
from uol.backends.twin.cache import cache_folder as twin_folder
from uol.ir.errors import ResourceError


@pytest.fixture(autouse=True)
def warned(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """What has been warned of, anew in each test."""
    fresh: set[tuple[str, str]] = set()
    monkeypatch.setattr(module, "_warned", fresh)
    return fresh


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"UOL_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/xdg"}, "/a/b"),
        ({"UOL_CACHE_DIR": "~/own"}, "{home}/own"),
        ({"UOL_CACHE_DIR": "own"}, f"{os.getcwd()}/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/uol"),
        ({"XDG_CACHE_HOME": "~/xdg"}, "{home}/xdg/uol"),
        ({"XDG_CACHE_HOME": "relative"}, "{home}/.cache/uol"),
        ({"UOL_CACHE_DIR": "", "XDG_CACHE_HOME": ""}, "{home}/.cache/uol"),
        ({}, "{home}/.cache/uol"),
    ],
)
def test_the_environment_says_where(
    environment: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UOL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert chosen_folder() == Path(folder.format(home=tmp_path))


def test_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_CACHE_DIR", "~no-such-user/cache")
    with pytest.raises(ResourceError, match="there is no home folder for '~no-such-user/cache'") as caught:
        chosen_folder()
    assert caught.value.hint == "set UOL_CACHE_DIR to a folder that can be written"


HOLDERS = """
from uol.backends.twin.cache import cache_folder as twin
from uol.backends.cache.files import open_cache
print(twin().parent, open_cache().root, sep="\\n")
"""


def test_whoever_keeps_files_keeps_them_there(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": "~/xdg"}
    environment.pop("UOL_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", HOLDERS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "xdg" / "uol")] * 2


def test_what_is_made_is_this_user_s_alone(own_cache: Path) -> None:
    before = os.umask(0)
    try:
        folder = cache_folder()
        open_cache().put(Key({"op": "relu"}), b"payload")
    finally:
        os.umask(before)
    assert folder == own_cache
    assert {stat.S_IMODE(p.stat().st_mode) & 0o077 for p in (own_cache, *own_cache.rglob("*"))} == {0}


def as_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_not_used(mode: int, own_cache: Path) -> None:
    own_cache.mkdir()
    own_cache.chmod(mode)
    with pytest.warns(CacheWarning, match=f"may write it .mode {mode:o}.*UOL_CACHE_DIR to a folder that is yours") as seen:
        folder = cache_folder()
    assert len(seen) == 1
    assert own_cache not in (folder, *folder.parents)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache_folder() == folder  # the same one, without another word
    open_cache().put(Key({"op": "relu"}), b"payload")
    assert open_cache().get(Key({"op": "relu"})) == b"payload"
    assert not list(own_cache.iterdir())


def test_a_folder_of_another_user_is_not_used(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache.mkdir(mode=0o700)
    as_another_user(monkeypatch)
    assert "belongs to another user" in str(distrust(own_cache))
    with pytest.warns(CacheWarning, match="belongs to another user"):
        assert cache_folder() != own_cache


def test_a_folder_above_that_others_can_write_counts_unless_it_is_sticky(tmp_path: Path) -> None:
    inner = tmp_path / "open" / "cache"
    inner.mkdir(parents=True, mode=0o700)
    for mode, trusted in ((0o755, True), (0o777, False), (0o1777, True)):
        inner.parent.chmod(mode)
        assert (distrust(inner) is None) == trusted
    assert distrust(inner) is None


READ_ONLY = """
import os, sys, warnings
import numpy as np
import uol
x = np.array([-1.0, 2.0], np.float32)
for name in ("relu", "neg"):
    print(uol.compile(name, "cpu", "f32", {"S": 2})(x).tolist())
"""


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="sysfs is what nobody can write, not even root")
def test_a_cold_folder_that_nobody_can_write_costs_one_warning() -> None:
    environment = {**os.environ, "UOL_CACHE_DIR": "/sys/kernel"}  # root's: distrusted by others, and taken by root
    done = subprocess.run([sys.executable, "-c", READ_ONLY], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[0.0, 2.0]", "[1.0, -2.0]"]
    assert done.stderr.count("CacheWarning: the cache folder '/sys/kernel'") == 1
    assert done.stderr.count("Warning") == 1


def test_a_folder_that_cannot_be_made_costs_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match="cannot be written: Not a directory.*set UOL_CACHE_DIR to a folder that can") as seen:
        assert cache_folder() == cache_folder() == twin_folder().parent
    assert len(seen) == 1


def test_a_link_counts_as_what_it_points_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mode in (("own", 0o700), ("shared", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
        (tmp_path / f"link-{name}").symlink_to(tmp_path / name)
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "link-own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "link-shared"))
    with pytest.warns(CacheWarning, match="link-shared"):
        assert cache_folder() != tmp_path / "shared"


PRIVATE = """
import os
from uol.backends.cache.files import cache_folder
folder = cache_folder()
child = os.fork()
if child == 0:
    own = cache_folder()
    os._exit(0 if own != folder and folder.is_dir() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(folder)
"""


def test_a_private_folder_goes_with_its_process(own_cache: Path) -> None:
    own_cache.mkdir()
    own_cache.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", PRIVATE], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()
    assert done.stderr.count("CacheWarning") == 1

"""Which library a name means: the one that the process has loaded, as PyTorch brings its own driver, before any other."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from uol.backends.hip.driver import SOURCE
from uol.backends.toolchain.shared_library import open_first

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to build a library with")


def library(folder: Path, name: str, number: int) -> str:
    """A library of that name, which answers with a number."""
    folder.mkdir(exist_ok=True)
    source = folder / f"{number}.c"
    source.write_text(f"int which(void) {{ return {number}; }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), str(source)], check=True)
    return str(folder / name)


def test_a_loaded_library_comes_before_one_that_is_installed(tmp_path: Path) -> None:
    """The loaded one has the later name of the two, and lies where the system's loader would not look."""
    installed = library(tmp_path / "system", "libuol-first.so", 1)
    later = "libuol-second.so.6"
    own = library(tmp_path / "pytorch", later, 2)
    source = replace(SOURCE, libraries=(installed, later))
    before = source.find()
    assert before is not None and before.which() == 1
    program = (
        f"import ctypes; ctypes.CDLL({own!r})\n"
        "from uol.backends.toolchain.shared_library import open_first\n"
        "from uol.backends.simt.running.card_driver import opened\n"
        f"names = ({installed!r}, {later!r})\n"
        "print(open_first(names).which(), opened(names, 'driver').which())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "2"]


def test_there_may_be_none() -> None:
    assert open_first(("libuol-absent.so.1",)) is None


def test_what_is_loaded_is_not_opened_again(tmp_path: Path) -> None:
    path = library(tmp_path, "libuol-third.so", 3)
    loaded, found = ctypes.CDLL(path), open_first(("libuol-absent.so.1", "libuol-third.so"))
    assert found is not None and found._handle == loaded._handle

"""Files that are written whole or not at all, by processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from uol.whole_file import remove_unfinished, replacing

WRITER = """
import os, signal, sys
from pathlib import Path
from uol.cli.train_command import ended_by_sigterm
from uol.whole_file import replacing
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
with ended_by_sigterm(), replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), int(sys.argv[2]))
"""


def killed_by(number: signal.Signals, path: Path) -> int:
    return subprocess.run([sys.executable, "-c", WRITER, str(path), str(int(number))], check=False).returncode


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"last")
    assert killed_by(signal.SIGKILL, path) == -signal.SIGKILL
    (left,) = tmp_path.glob(".checkpoint.pt-*")
    assert left.read_bytes() == b"half" and path.read_bytes() == b"last"
    with replacing(path) as file:
        file.write(b"next")
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"] and path.read_bytes() == b"next"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"last")
    assert killed_by(number, path) in (128 + number, 1, -number)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"] and path.read_bytes() == b"last"


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with replacing(path) as file:
        file.write(b"{}")
        remove_unfinished(path)
    assert path.read_bytes() == b"{}"

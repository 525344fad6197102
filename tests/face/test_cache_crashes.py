"""Processes that are killed at any moment, and damage on the disk: nothing is lost that was there, nothing wrong is read."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from uol.backends.cache.files import DiskCache, Key

ENTRIES = 12
WRITER = """
import hashlib, itertools, sys
from pathlib import Path
from uol.backends.cache.files import DiskCache, Key
cache = DiskCache(Path(sys.argv[1]))
print("ready", flush=True)
for number in itertools.count(int(sys.argv[2])):
    number %= 12
    content = hashlib.sha256(bytes([number])).digest() * 20_000
    assert cache.get_or_make(Key({"number": number}), lambda: content) == content
    cache.materialise(Key({"number": number}), ".so", content)
    if number % 3 == 0:
        cache.put(Key({"number": number}), content)
"""


def content(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest() * 20_000


def entry(root: Path, number: int) -> Path:
    digest = Key({"number": number}).digest
    return root / digest[:2] / digest


def present(cache: DiskCache) -> set[int]:
    """The entries that are there, each right."""
    found = {n: cache.get(Key({"number": n})) for n in range(ENTRIES)}
    assert all(payload in (None, content(n)) for n, payload in found.items())
    return {n for n, payload in found.items() if payload is not None}


def test_fifty_kills_lose_nothing_and_poison_nothing(tmp_path: Path) -> None:
    generator = random.Random(0)
    cache = DiskCache(tmp_path)
    known: set[int] = set()
    for round_ in range(50):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(round_)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(generator.random() * 0.03)
            writer.send_signal(signal.SIGKILL)
        now = present(cache)
        assert known <= now
        known = now
    for number in range(ENTRIES):  # no lock of the dead is waited for
        assert cache.get_or_make(Key({"number": number}), lambda n=number: content(n)) == content(number)  # type: ignore[misc]
        assert cache.materialise(Key({"number": number}), ".so", content(number)).read_bytes() == content(number)


def test_twenty_damages_are_repaired(tmp_path: Path) -> None:
    generator = random.Random(1)
    cache = DiskCache(tmp_path)
    for number in range(ENTRIES):
        cache.put(Key({"number": number}), content(number))
    for _ in range(20):
        number = generator.randrange(ENTRIES)
        path = entry(tmp_path, number)
        data = bytearray(path.read_bytes())
        at = generator.randrange(len(data))
        match generator.randrange(4):
            case 0:
                data[at] ^= 1 << generator.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = b"\0" * 4096
            case 3:
                data[:] = generator.randbytes(len(data))
        path.write_bytes(data)
        assert cache.get(Key({"number": number})) is None
        assert cache.get_or_make(Key({"number": number}), lambda n=number: content(n)) == content(number)  # type: ignore[misc]
    assert present(cache) == set(range(ENTRIES))


def test_eight_processes_at_once(tmp_path: Path) -> None:
    bounded = WRITER.replace("itertools.count(int(sys.argv[2]))", "range(int(sys.argv[2]), int(sys.argv[2]) + 60)")
    commands = [[sys.executable, "-c", bounded, str(tmp_path), str(n)] for n in range(8)]
    writers = [subprocess.Popen(c, stdout=subprocess.DEVNULL) for c in commands]
    assert [w.wait() for w in writers] == [0] * 8
    assert present(DiskCache(tmp_path)) == set(range(ENTRIES))


def test_what_the_killed_were_writing_is_swept_away(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put(Key({"number": 0}), content(0))
    old, new = (entry(tmp_path, 0).parent / f".writing-{age}" for age in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.put(Key({"number": 0}), content(0))
    assert not old.exists() and new.exists()

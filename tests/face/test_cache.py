"""The disk cache: whole entries or none, whatever other processes and disks do."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import uol
from uol.backends.cache import files
from uol.backends.cache.files import CacheWarning, DiskCache, Key, chosen_folder

KEY = Key({"op": "relu", "dims": {"N": 4}, "target": "cuda:a100"})


def entry_of(cache: DiskCache, key: Key = KEY) -> Path:
    return cache.root / key.digest[:2] / key.digest


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    assert cache.get(KEY) is None
    cache.put(KEY, b"payload\nwith lines")
    assert cache.get(KEY) == b"payload\nwith lines"


@pytest.mark.parametrize("part", ["op", "dims", "target", "one more"])
def test_every_part_counts_in_the_key(part: str) -> None:
    assert Key({**KEY.parts, part: "another"}).digest != KEY.digest


def test_the_order_of_the_parts_does_not_count() -> None:
    assert Key(dict(reversed(KEY.parts.items()))).digest == KEY.digest


DAMAGE = {
    "cut": lambda b: b[:-1],
    "half": lambda b: b[: len(b) // 2],
    "empty": lambda b: b"",
    "flipped": lambda b: b[:-1] + b"?",
    "shifted": lambda b: b"x" + b,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_corrupt_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    cache = DiskCache(tmp_path)
    cache.put(KEY, b"right")
    entry = entry_of(cache)
    entry.write_bytes(DAMAGE[damage](entry.read_bytes()))
    assert cache.get(KEY) is None
    assert cache.get_or_make(KEY, lambda: b"right") == b"right"
    assert cache.get(KEY) == b"right"


def test_nothing_but_the_entry_is_left(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.get_or_make(KEY, lambda: b"payload")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [entry_of(cache)]


def test_a_failing_make_leaves_nothing(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)

    def make() -> bytes:
        raise RuntimeError("the compiler broke")

    with pytest.raises(RuntimeError, match="the compiler broke"):
        cache.get_or_make(KEY, make)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert cache.get_or_make(KEY, lambda: b"later") == b"later"


def test_threads_that_want_one_entry_make_it_once(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        time.sleep(0.1)
        return b"payload"

    threads = [threading.Thread(target=cache.get_or_make, args=(KEY, make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def _use(root: str, rounds: int, failures: multiprocessing.Queue) -> None:
    cache = DiskCache(Path(root))
    for number in range(rounds):
        key, content = Key({"number": number % 5}), bytes([number % 5]) * 50_000
        if cache.get_or_make(key, lambda content=content: content) != content:
            failures.put(number)
        entry_of(cache, key).unlink(missing_ok=True)


def test_processes_never_see_half_an_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    workers = [context.Process(target=_use, args=(str(tmp_path), 60, failures)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert failures.empty()


def test_a_materialised_file_has_the_content_whatever_lay_there(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    path = cache.materialise(KEY, ".so", b"ELF right")
    path.write_bytes(b"ELF wrong")
    assert cache.materialise(KEY, ".so", b"ELF right") == path
    assert path.read_bytes() == b"ELF right"


def test_an_entry_of_another_key_is_made_anew(tmp_path: Path) -> None:
    cache, other = DiskCache(tmp_path), Key({"op": "exp"})
    cache.put(KEY, b"relu")
    cache.put(other, b"exp")
    one, two = entry_of(cache).read_bytes(), entry_of(cache, other).read_bytes()
    entry_of(cache).write_bytes(two)
    entry_of(cache, other).write_bytes(one)
    for key, right in ((KEY, b"relu"), (other, b"exp")):
        said = f"{key.digest}' holds what was made for another key.* It is not used, and made anew"
        with pytest.warns(CacheWarning, match=said):
            assert cache.get(key) is None
        with pytest.warns(CacheWarning):
            assert cache.get_or_make(key, lambda right=right: right) == right  # type: ignore[misc]
        assert cache.get(key) == right


def test_swapped_entries_give_no_other_operator_s_values(own_cache: Path) -> None:
    x = np.array([-1.0, 2.0], np.float32)

    def computed(name: str) -> list[float]:
        return [float(v) for v in uol.compile(name, "cpu", "f32", {"S": 2})(x)]

    expected = {"relu": [0.0, 2.0], "neg": [1.0, -2.0]}
    assert {name: computed(name) for name in expected} == expected
    entries = [p for p in own_cache.glob("??/*") if not p.suffix]
    for one, two in itertools.combinations(entries, 2):  # of every kind: text, binary, pool of threads
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)
            assert {name: computed(name) for name in expected} == expected


def test_a_folder_that_cannot_be_written_is_replaced_by_one_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was never made: nothing can be below a file, even for root."""
    monkeypatch.setattr(files, "_warned", set())
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = DiskCache(blocked / "cache")
    with pytest.warns(CacheWarning, match=f"{blocked}/cache' cannot be written: Not a directory.*this process alone") as seen:
        assert cache.get_or_make(KEY, lambda: b"payload") == b"payload"
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.get(KEY) == b"payload"
        assert cache.get_or_make(KEY, lambda: b"another") == b"payload"
        assert cache.materialise(KEY, ".so", b"ELF").read_bytes() == b"ELF"


def test_a_folder_that_lacks_an_entry_and_takes_none_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_warned", set())
    cache, absent = DiskCache(tmp_path), next(k for n in range(99) if (k := Key({"op": n})).digest[:2] != KEY.digest[:2])
    cache.put(KEY, b"kept before")
    (tmp_path / absent.digest[:2]).write_text("a file where the entry's folder would be")
    with pytest.warns(CacheWarning, match="cannot be written"):
        assert cache.get_or_make(absent, lambda: b"made now") == b"made now"
    assert cache.get(KEY) == b"kept before" and cache.get(absent) == b"made now"


def test_the_folder_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_CACHE_DIR", "/somewhere/else")
    assert chosen_folder() == Path("/somewhere/else")
    monkeypatch.delenv("UOL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert chosen_folder() == Path("/xdg/uol")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert chosen_folder() == Path(os.path.expanduser("~/.cache/uol"))

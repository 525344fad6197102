"""The cases of commands beside the rooms: taken over from a journal, run in the order of their names, shard by shard."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from uol.backends.cache.records import Records
from uol.conformance import build_check, library_gradients, mutation_run, opcheck, planted_faults, special_values, traffic
from uol.conformance.mutation.judge import Judged, MutationReport
from uol.conformance.runs import steps as runs
from uol.conformance.runs.steps import Steps, add_run_options, results_of
from uol.ir.errors import UolError


@dataclass(frozen=True, slots=True)
class Squared:
    number: int
    square: int


class Numbers:
    """A command that squares numbers, and remembers which it was asked for."""

    def __init__(self, **options: object) -> None:
        self.ran: list[int] = []
        self.texts: dict[int, str] = {}
        self.steps: Steps[int, Squared] = Steps("squares", Records(Squared), str, self._run, self._content, **options)  # type: ignore[arg-type]

    def _run(self, numbers: Sequence[int]) -> list[Squared]:
        self.ran += numbers
        return [Squared(number, number * number) for number in numbers]

    def _content(self, number: int) -> str:
        return self.texts.get(number, "a text")

    def __call__(self, *words: object, pool: ThreadPoolExecutor | None = None) -> list[int]:
        parser = argparse.ArgumentParser()
        add_run_options(parser)
        self.ran.clear()
        return [each.square for each in results_of(self.steps, range(30), parser.parse_args([*map(str, words)]), pool)]


SQUARES = [n * n for n in range(30)]


@pytest.mark.parametrize("together", [1, 7, 100])
@pytest.mark.parametrize("workers", [0, 3])
def test_results_come_in_order_whatever_is_taken_over(together: int, workers: int, tmp_path: Path) -> None:
    numbers, path = Numbers(together=together), tmp_path / "run.jsonl"
    assert numbers() == SQUARES
    with ThreadPoolExecutor(workers or 1) as threads:
        pool = threads if workers else None
        assert numbers("--shard", "2/3", "--resume", path, pool=pool) == [n * n for n in sorted(numbers.ran)]
        before = {*numbers.ran}
        assert 0 < len(before) < 30
        assert numbers("--resume", path, pool=pool) == SQUARES
        assert {*numbers.ran} == {*range(30)} - before
        assert numbers("--resume", path, pool=pool) == SQUARES
        assert not numbers.ran


def test_shards_are_the_whole(tmp_path: Path) -> None:
    numbers = Numbers()
    shards = [numbers("--shard", f"{n}/3", "--resume", tmp_path / f"{n}.jsonl") for n in (1, 2, 3)]
    assert sorted(square for shard in shards for square in shard) == SQUARES
    whole = tmp_path / "whole.jsonl"
    whole.write_text("".join((tmp_path / f"{n}.jsonl").read_text() for n in (1, 2, 3)))
    assert numbers("--resume", whole) == SQUARES
    assert not numbers.ran, "journals of shards are merged by cat"
    with pytest.raises(UolError, match="no case is in shard"):
        [numbers("--shard", f"{n}/500") for n in range(1, 501)]


def test_after_a_commit_what_it_changed_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers, path = Numbers(together=4), tmp_path / "run.jsonl"
    numbers("--resume", path)
    monkeypatch.setattr(runs, "sources_of_commands", lambda: "another commit")
    numbers.texts = {3: "another text", 17: "another text"}
    capsys.readouterr()
    assert numbers("--resume", path) == SQUARES
    assert numbers.ran == [3, 17]
    assert capsys.readouterr().out == f"28 cases taken over from {path}, 2 run\n"
    monkeypatch.setattr(runs, "judge_of", lambda *files: "another judge")
    monkeypatch.setattr(runs, "sources_of_commands", lambda: "a third commit")
    assert numbers("--resume", path) == SQUARES
    assert numbers.ran == [*range(30)]


def test_what_says_nothing_of_its_content_is_run_after_any_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, path = Numbers(), tmp_path / "run.jsonl"
    numbers.texts = dict.fromkeys(range(30), "")
    numbers("--resume", path)
    numbers("--resume", path)
    assert not numbers.ran
    monkeypatch.setattr(runs, "sources_of_commands", lambda: "another commit")
    numbers("--resume", path)
    assert len(numbers.ran) == 30


def test_a_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    numbers, path = Numbers(), tmp_path / "run.jsonl"
    run = numbers.steps.run

    def until_ten(chosen: Sequence[int]) -> Sequence[Squared]:
        if 10 in chosen:
            raise KeyboardInterrupt
        return run(chosen)

    object.__setattr__(numbers.steps, "run", until_ten)
    with pytest.raises(KeyboardInterrupt):
        numbers("--resume", path)
    object.__setattr__(numbers.steps, "run", run)
    assert numbers("--resume", path) == SQUARES
    assert numbers.ran == [*range(10, 30)]


def judged(cases: Sequence[object]) -> list[MutationReport]:
    return [MutationReport((Judged("cuda relu f32", "drop", "key", 3, "dropped", "contract", "beyond"),)) for _ in cases]


COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str], str]] = {
    "build_check": (build_check.main, ["--op", "relu", "--target", "cuda"], "generate"),
    "library_gradients": (library_gradients.main, ["--op", "relu", "--largest", "20"], "library_trial"),
    "opcheck": (opcheck.main, ["--op", "relu"], "check"),
    "planted_faults": (planted_faults.main, ["--op", "softmax", "--target", "cpu"], "breaches"),
    "special_values": (special_values.main, ["--op", "relu"], "differences"),
    "traffic": (traffic.main, ["--op", "relu", "--target", "cuda", "--dtype", "f32"], "traffic_of"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_run_of_a_command_says_the_same_and_runs_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main, words, what = COMMANDS[name]
    words = [*words, "--resume", str(tmp_path / "run.jsonl")]
    status = main(words)
    first = capsys.readouterr().out.splitlines()
    assert " cases taken over from " in "\n".join(first)
    monkeypatch.setattr(f"uol.conformance.{name}.{what}", None)
    assert main(words) == status
    second = capsys.readouterr().out.splitlines()
    told = [[line.partition(" cases in ")[0] for line in lines if "taken over" not in line] for lines in (first, second)]
    assert told[0] == told[1]
    assert any(line.endswith(", 0 run") for line in second)


def test_mutants_of_a_kernel_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def judge(cases: Sequence[object]) -> MutationReport:
        asked.extend(cases)
        return judged(cases)[0]

    monkeypatch.setattr(mutation_run, "judge_mutants", judge)
    words = ["--op", "relu", "--target", "cuda", "--dtype", "f32", "--resume", str(tmp_path / "run.jsonl")]
    mutation_run.main(words)
    many = len(asked)
    assert many > 0
    mutation_run.main(words)
    assert len(asked) == many

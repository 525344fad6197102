"""The command of main loops: what it prints, the bars that it holds loops to, its exit status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from uol.codegen.extensions import MainLoop, Resources
from uol.conformance import main_loops
from uol.conformance.main_loops import Bars, Found, misses
from uol.ir.errors import MissingToolError, UolError

LOOP = MainLoop({"product": 64, "integer": 40, "matrix load": 18}, 64, {(16, True): 8}, 0, (1,), 0, 64)
GOOD = Found("product", LOOP, Resources(216, 0))
STRICT = Bars(0.95, 224, asynchronous=True, in_flight=1, whole_scratch=True, covered=8)


def said(found: Found) -> str:
    return "; ".join(misses(found, STRICT))


def test_a_loop_that_keeps_all_bars_misses_none() -> None:
    assert said(GOOD) == ""
    assert said(Found("product", replace(LOOP, loads={}, in_flight=()), Resources(216, 0))) == ""


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (replace(GOOD, loop=replace(LOOP, mix={"product": 64, "integer": 61})), "0.953 instructions beside each product"),
        (replace(GOOD, taken=Resources(225, 0)), "225 registers are more than 224"),
        (replace(GOOD, taken=Resources(216, 8)), "0 spills, 8 bytes of memory beside registers"),
        (replace(GOOD, loop=replace(LOOP, spills=3)), "3 spills"),
        (replace(GOOD, loop=replace(LOOP, loads={(16, True): 8, (8, True): 1})), "global loads of 8 bytes"),
        (replace(GOOD, loop=replace(LOOP, loads={(16, False): 8})), "global loads of 16 bytes"),
        (replace(GOOD, loop=replace(LOOP, in_flight=(1, 0))), "0 in flight at a wait are fewer than 1"),
        (replace(GOOD, loop=replace(LOOP, covered=7)), "7 products between a load and the wait behind it are fewer than 8"),
        (replace(GOOD, loop=replace(LOOP, narrow_scratch=2)), "2 accesses of 2 bytes of shared memory"),
    ],
)
def test_a_bar_that_is_missed_is_named(found: Found, expected: str) -> None:
    assert expected in said(found)
    assert bool(list(misses(found, Bars()))) is ("spills" in expected)


def run(monkeypatch: pytest.MonkeyPatch, found: list[Found], *arguments: str) -> int:
    monkeypatch.setattr(main_loops, "loops_of", lambda request: found)
    return main_loops.main(["--target", "cuda:a100", "--op", "matmul", *arguments])


def test_the_exit_status_says_whether_every_kernel_keeps_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, [GOOD], "--most-others", "0.95", "--most-registers", "224", "--asynchronous") == 0
    printed = capsys.readouterr().out
    assert "product: 122 instructions, 64 products, 0.91 others for each" in printed
    assert "8 of 16 bytes beside" in printed and "in flight at waits: 1" in printed
    assert run(monkeypatch, [GOOD], "--most-others", "0.9") == 1
    assert "misses: 0.906 instructions beside each product are more than 0.9" in capsys.readouterr().out


def test_an_operator_without_such_a_loop_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, []) == 1
    assert "no loop on matrix units" in capsys.readouterr().out


def test_a_missing_tool_and_bad_sizes_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(request: object) -> list[Found]:
        raise MissingToolError("no cuobjdump was found", hint="install it")

    monkeypatch.setattr(main_loops, "loops_of", missing)
    assert main_loops.main(["--target", "cuda:a100", "--op", "matmul"]) == 2
    with pytest.raises(UolError, match="does not say sizes"):
        main_loops.main(["--target", "cuda:a100", "--op", "matmul", "--dims", "M=x"])


def test_a_target_that_nobody_reads_is_an_error() -> None:
    with pytest.raises(UolError, match="nobody reads the loops of cpu here"):
        main_loops.main(["--target", "cpu", "--op", "matmul"])


def test_one_device_of_each_architecture_is_asked_for() -> None:
    targets = main_loops.default_targets()
    assert {"cuda:a100", "cuda:h100", "hip:mi250x"} <= set(targets)
    assert len(targets) == len(set(targets))

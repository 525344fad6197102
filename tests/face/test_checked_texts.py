"""A text that was found right is right in the next process, too, unless what it calls is another."""

from __future__ import annotations

from pathlib import Path

import pytest

import uol
from uol.ir import parse
from uol.ir.syntax.surface import Op
from uol.operators import checked_texts
from uol.operators.checked_texts import require_right
from uol.operators.registry import catalogue
from uol.ops.texts import TextLibrary

CALLER = "op seen_caller(x: f32[N]) -> (y: f32[N]) { y[n] = seen_callee(x)[n] * 2 }"
CALLEE = "op seen_callee(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + 1 }"
WRONG = "op seen_wrong(x: f32[N]) -> (y: f32[N]) { y[n] = x[n + 1] }"


def of(*texts: str) -> tuple[tuple[Op, ...], TextLibrary]:
    ops = tuple(op for text in texts for op in parse(text))
    library = catalogue().copy()
    for op in ops:
        library.add(op)
    return ops, library


@pytest.fixture
def checked(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators that the checker is asked about."""
    import uol.ir.checker.checker as checker

    asked: list[str] = []
    check = checker.check
    monkeypatch.setattr(checker, "check", lambda op, library: asked.append(op.name) or check(op, library))
    return asked


def test_what_is_right_is_checked_once(checked: list[str]) -> None:
    for _ in range(2):
        require_right(*of(CALLER, CALLEE))
    assert checked == ["seen_caller", "seen_callee"]


def test_another_text_of_what_is_called_is_checked_anew(checked: list[str]) -> None:
    for callee in (CALLEE, CALLEE.replace("+ 1", "+ 3")):
        (caller, _), library = of(CALLER, callee)
        require_right([caller], library)
    assert checked == ["seen_caller"] * 2


def test_what_is_wrong_is_wrong_each_time(checked: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(uol.BoundsError):
            require_right(*of(WRONG))
    assert checked == ["seen_wrong"] * 2


def test_the_forward_of_a_written_gradient_counts(checked: list[str]) -> None:
    gradient = "op seen_callee_grad(dy: f32[N]) -> (dx: f32[N]) { dx[n] = dy[n] }"
    for callee in (CALLEE, CALLEE, CALLEE.replace("+ 1", "+ 3")):
        (_, written), library = of(callee, gradient)
        require_right([written], library)
    assert checked == ["seen_callee_grad"] * 2


@pytest.mark.filterwarnings("ignore::uol.backends.cache.files.CacheWarning")
def test_a_folder_in_the_place_of_one_that_cannot_be_made(
    checked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        require_right(*of(CALLEE))
    assert checked == ["seen_callee"]


def test_positions_count(own_cache: Path) -> None:
    (one,), (two,) = parse(CALLEE), parse("\n" + CALLEE)
    assert one == two
    assert checked_texts.digest_of(one) != checked_texts.digest_of(two)

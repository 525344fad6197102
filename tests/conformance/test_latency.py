"""`python -m uol.conformance.latency`: what it measures, and its exit status."""

from __future__ import annotations

import pytest

from uol.backends.cuda import nvrtc
from uol.conformance import latency
from uol.conformance.latency import Latency

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, so nothing is built")


def test_what_takes_more_than_it_may_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for other in ("with_gradients", "new_processes", "first_calls"):
        monkeypatch.setattr(latency, other, lambda target, turns: iter(()))
    monkeypatch.setattr(
        latency, "in_process", lambda target, turns: iter([Latency("text", 0.04, 0.05), Latency("rest", 9.0, 0)])
    )
    assert latency.main(["--target", "cuda"]) == 0
    assert "EXCEEDED" not in capsys.readouterr().out
    monkeypatch.setattr(latency, "in_process", lambda target, turns: iter([Latency("text", 0.06, 0.05)]))
    assert latency.main(["--target", "cuda"]) == 1
    assert "at most 0.05: EXCEEDED" in capsys.readouterr().out


def test_a_text_and_a_new_process_are_timed() -> None:
    made = next(latency.in_process("cuda", 1))
    assert made.what == "cuda product, to the text" and 0 < made.seconds < 10

    both = next(latency.with_gradients("cuda", 1))
    assert both.what == "cuda attention and its gradient, to the texts" and 0 < both.seconds < 10


@needs_nvrtc
def test_the_kernels_of_a_first_call_of_any_size_are_few() -> None:
    """A product takes one of its kernels by rows and columns, a softmax one of those by the length of its rows."""
    softmax = list(latency.first_calls("cuda", 1))[1]
    assert softmax.what == "cuda softmax of any size, a first call: 1 of 28 kernels"
    assert softmax.bound == 0.4 and softmax.seconds > 0

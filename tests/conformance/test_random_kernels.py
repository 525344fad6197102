"""Random texts on every target: a sample of what the command runs, that it finds faults, and that no construct is left out."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from uol.codegen.program import searches
from uol.conformance.cases.twin_check import Outcome, Prepared
from uol.conformance.cases.verdict import Verdict
from uol.conformance.random_kernels import batches, command, minimising, processes, trials
from uol.conformance.random_kernels.batches import run_texts
from uol.conformance.random_kernels.judging import Run
from uol.conformance.random_kernels.minimising import smallest
from uol.conformance.random_kernels.processes import run_batch
from uol.conformance.random_kernels.shown import FAILED, failures_shown
from uol.conformance.random_kernels.trials import Setting, Where, admitted_text, cases_of, says_all, take_in, targets
from uol.conformance.random_texts.kernel_texts import FAMILIES, KINDS, KernelText, kernel_texts, kind_of
from uol.ir import UolError, parse

SAMPLE = tuple(range(1000, 1000 + len(KINDS)))
"""One text of each kind."""
WHERE = Where.on(targets(), in_turn=True)
CPU = Where((Setting("cpu", "fixed"),))


TWINS = tuple(target for target in targets() if target != "cpu")
IN_A_TWIN = [(SAMPLE[turn :: len(TWINS)], Where.on(("cpu", twin), in_turn=True)) for turn, twin in enumerate(TWINS)]
"""Each text on this machine, and in one of the twins: those of a text take ten times as long as its kernels here."""


@pytest.mark.parametrize(
    "parts", [IN_A_TWIN, pytest.param([(SAMPLE, WHERE)], marks=pytest.mark.soak)], ids=["in a twin", "on every target"]
)
def test_a_text_of_each_kind_is_right(parts: list[tuple[tuple[int, ...], Where]]) -> None:
    found = [each for numbers, where in parts for each in run_batch(numbers, where)]
    assert {text.kind for text, _ in found} == set(KINDS)
    failures = [failures_shown(text, runs) for text, runs in found if any(r.state in FAILED for r in runs)]
    assert not failures, "\n".join(failures)
    right = Counter(r.setting.split()[0] for _, runs in found for r in runs if r.state == "right")
    least = Counter(target for numbers, where in parts for target in {s.target for s in where.settings} for _ in numbers)
    assert set(least) == set(targets()) and right >= least, right


def drawn(count: int) -> list[KernelText]:
    """Texts as they are drawn, of which the language admits nearly all."""
    return [next(kernel_texts(n)) for n in range(count) if kind_of(n) in FAMILIES]


def test_what_random_texts_hold() -> None:
    """Every choice of ends of a recurrence, shifted reads, relations of searches, ranks of packs, types, empty dims."""
    texts = drawn(2000)
    by_kind = {kind: "\n".join(t.text for t in texts if t.kind == kind) for kind in FAMILIES}
    ends = re.findall(r"sum\[j (\S+) i\].*?prod\[k (\S+) j, k (\S+) i\]", by_kind["recurrence"])
    assert len(set(ends)) == 16
    assert re.search(r"prod\[.*a\[[^]]*k - 1[^]]*\] else", by_kind["recurrence"])
    assert set(re.findall(r"keys\[e\] (\S+) ", by_kind["search"])) >= {"<", "<=", ">", ">="}
    ranks = {len(size) for t in texts for size in t.dims.values() if not isinstance(size, int)}
    assert ranks == set(range(5))
    chosen = {type for t in texts for type in re.findall(r"=(\w+)", t.dtype)}
    assert chosen >= {"f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8"}
    assert len({t.inputs for t in texts}) == 6
    empty = sum(0 in np.hstack([np.atleast_1d(size) for size in t.dims.values()]) for t in texts if t.dims)
    assert empty > 0.1 * len(texts)
    assert sum("," in t.dtype for t in texts) > 0.1 * len(texts)


def test_equal_numbers_give_equal_texts() -> None:
    assert all(next(kernel_texts(n)) == next(kernel_texts(n)) for n in range(len(KINDS)))


def text_of(body: str, dtype: str = "T=f32", kind: str = "search", inputs: str = "random", **dims: int) -> KernelText:
    """A text under a name of its own."""
    name = re.search(r"op (\w+)\(", body)
    assert name is not None
    text = KernelText(0, kind, body, name[1], dtype, dims, {}, inputs)  # type: ignore[arg-type]  # a kind of inputs
    take_in(text)
    return text


COUNT = """op {name}(keys: T[E], x: T[N]) -> (y: i32[N]) for T in (f32, f16) where sorted(keys) {{
  y[n] = sum[e](i32(x[n] >= keys[e]))
}}"""


def test_a_planted_fault_of_the_compiler_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = text_of(COUNT.format(name="search_as_it_is"), inputs="ties", E=130, N=9)
    assert [r.state for r in run_texts([right], CPU)] == ["right"]
    monkeypatch.setitem(searches.MIRRORED, ">=", "<")  # equal keys are no longer counted
    wrong = text_of(COUNT.format(name="search_without_equal_keys"), inputs="ties", E=130, N=9)
    (run,) = run_texts([wrong], CPU)
    assert run.state == "wrong" and "golden" in run.reason
    shown = failures_shown(wrong, [run])
    assert "search_without_equal_keys" in shown and "--only 0 --targets cpu" in shown


def test_a_wrong_text_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever runs it: here a count is wrong wherever there is one."""

    def without_kernels(texts: list[KernelText], where: Where) -> list[Run]:
        wrong = [t for t in texts if ">= keys" in t.text]
        return [Run(t.number, t.kind, str(s), 0, "wrong", "golden: wrong") for t in wrong for s in where.settings]

    monkeypatch.setattr(minimising, "run_texts", without_kernels)
    body = COUNT.format(name="search_to_be_smaller").replace("= sum", "= 2 * sum").replace("\n}", "\n  z[n] = tanh(x[n])\n}")
    text = text_of(body.replace("y: i32[N])", "y: i32[N], z: T[N])"), E=4, N=3)
    (run,) = without_kernels([text], CPU)
    small = smallest(text, run, CPU.settings[0])
    assert "tanh" not in small.text and "2 *" not in small.text and ">= keys" in small.text
    assert dict(small.dims) == {"E": 1, "N": 1}


GUARDED = "op {name}(x: f32[N], w: f32[N]) -> (y: f32[N]) {{ y[n] = sum[r < 2]((x[n + r] else 0) * w[n]) }}"


def test_a_gradient_that_stored_results_leave_nothing_of_is_right() -> None:
    """bf16 keeps tanh(6) as 1: of 1 - y*y nothing is left, where autograd has digits that no bf16 holds."""
    body = "y[i] = T(tanh(6 + acc(b[i]) * acc(b[i])))"
    text = text_of(f"op tanh_near_1(b: T[N]) -> (y: T[N]) for T in (f32, bf16) {{\n  {body}\n}}", "T=bf16", N=6)
    assert [run.state for run in run_texts([text], CPU)] == ["right", "right"]


def test_where_autograd_has_no_number_a_gradient_of_rounding_alone_is_right() -> None:
    """Of a row of one number all cancels but rounding, of a row of 0 autograd has NaN: neither says how large a gradient is."""
    body = "y[n, c] = normalize(reglu(x, relu(z)))[n, c]"
    text = f"op one_of_a_row(x: T[N, C], z: T[N, C]) -> (y: T[N, C]) for T in (f32, bf16) where C >= 1 {{\n  {body}\n}}"
    assert [run.state for run in run_texts([text_of(text, "T=bf16", N=40, C=1)], CPU)] == ["right", "right"]


def test_where_a_value_between_overflows_its_type_autograd_has_no_number() -> None:
    """f16 keeps exp(20) as infinity, which times 0 is NaN, as PyTorch's own gradient in f16 is; in float64 it is 0."""
    body = "y[i] = reglu(x, exp(z))[i]"
    text = f"op overflow_between(x: T[N], z: T[N]) -> (y: T[N]) for T in (f32, f16) {{\n  {body}\n}}"
    assert [run.state for run in run_texts([text_of(text, "T=f16", inputs="ties", N=400)], CPU)] == ["right", "right"]


def test_what_the_language_leaves_open_gets_finite_inputs() -> None:
    """A product that is summed and has a factor of 0 by `else 0` may be left out, though the other is NaN."""
    text = text_of(GUARDED.format(name="guarded_product"), dtype="", inputs="lone", N=4)
    assert not says_all(parse(text.text)[-1]) and {c.inputs for c in cases_of(text, CPU.settings)} == {"random"}
    sums = parse("op plain(x: f32[N, M]) -> (y: f32[N]) { y[n] = sum[m](x[n, m] * 2) }")[-1]
    assert says_all(sums)


def test_running_sums_of_sums_get_no_largest_values() -> None:
    """What several terms have of -3e38 may be -infinity in another order, and beside infinity NaN."""
    texts = [next(kernel_texts(n)) for n in range(3000) if kind_of(n) == "running"]
    sums = [text for text in texts if "sum[j" in text.text]
    assert {text.inputs for text in sums if "h[" in text.text} == {"random", "exact", "ties", "infinite", "lone"}
    assert "special" in {text.inputs for text in sums}


def test_a_crash_of_the_compiler_or_of_a_kernel_is_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its batch are judged."""
    texts = [text_of(COUNT.format(name=f"search_in_a_batch_{n}"), E=5, N=3) for n in range(3)]

    def outcomes(ready: list[Prepared]) -> list[Outcome]:
        if any(p.case.op.endswith("_1") for p in ready):
            raise ValueError("a crash")
        return [Outcome(dict(p.buffers)) for p in ready]

    monkeypatch.setattr(batches, "outcomes", outcomes)
    monkeypatch.setattr(batches, "judge", lambda prepared, *given: Verdict(prepared.case, "pass"))
    assert [r.state for r in run_texts(texts, CPU)] == ["right", "raised", "right"]
    monkeypatch.setattr(trials, "take_in", lambda text: 1 // 0)
    ((text, runs),) = run_batch((4,), CPU)
    assert [(r.state, r.setting) for r in runs] == [("raised", "checker")] and "ZeroDivisionError" in runs[0].reason


class Pool:
    """A pool of processes, of which one dies of number 3 on the CPU."""

    def __init__(self, *given: object, **named: object) -> None: ...

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *given: object) -> None: ...

    def submit(self, work: object, batch: tuple[int, ...], where: Where) -> Future:
        future: Future = Future()
        if 3 in batch and Setting("cpu", "fixed") in where.settings:
            future.set_exception(BrokenProcessPool())
        else:
            texts = [next(kernel_texts(n)) for n in batch]
            future.set_result([(t, [Run(t.number, t.kind, str(s), 0, "right") for s in where.settings]) for t in texts])
        return future


def test_a_process_that_dies_fails_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(processes, "TOGETHER", 4)
    where = Where.on(("cuda", "cpu"))
    found = [each for batch in processes.run_numbers(range(10), where, 2) for each in batch]
    assert sorted(text.number for text, _ in found) == list(range(10))
    failed = [r for _, runs in found for r in runs if r.state == "raised"]
    assert [(r.number, r.setting) for r in failed] == [(3, "cpu fixed")]
    assert sum(len(runs) for _, runs in found) == 10 * len(where.settings)
    assert not list(processes.run_numbers(range(10), where, 2, until=0.0))


@pytest.mark.parametrize(("state", "status"), [("right", 0), ("refused", 0), ("open", 0), ("wrong", 1), ("raised", 1)])
def test_the_exit_status(state: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = next(kernel_texts(0))
    run = Run(0, text.kind, "cuda fixed", 0, state, "random_0 has no kernel")  # type: ignore[arg-type]  # one of the states
    monkeypatch.setattr(command, "run_numbers", lambda *given: iter([[(text, [run])]]))
    assert command.main(["--count", "1"]) == status
    shown = capsys.readouterr().out
    assert f"1 {state}" in shown and f"{text.kind} 1" in shown
    assert ("--only 0 --targets cuda" in shown) == bool(status)


def test_bad_options_are_errors() -> None:
    for given in (["--targets", "metal"], ["--kinds", "poem"], ["-j", "0"], ["--count", "-1"], ["--minutes", "0"]):
        with pytest.raises(UolError, match="metal|poem|nothing would run"):
            command.main(given)


def test_an_admitted_text_is_known_with_its_gradient() -> None:
    text, crash = admitted_text(1007)
    assert not crash
    assert {c.op for c in cases_of(text, CPU.settings)} == {text.name, f"{text.name}_grad"}

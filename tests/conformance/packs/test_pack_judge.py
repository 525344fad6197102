"""The runner's judge, on the bounds of a pack, decides as uol's own judge does: on right results, wrong ones, NaN, and the
numbers on both sides of every bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pytest
from on_the_stub import subjects

from uol.conformance.accuracy.error_analysis import Enclosed
from uol.conformance.accuracy.interval import Array, Enclosure
from uol.conformance.accuracy.sorts_under_rounding import Ordered
from uol.conformance.cases.truth import Truth
from uol.conformance.cases.twin_check import Outcome, Prepared, judge
from uol.conformance.gradients.cases import TOLERANCE
from uol.conformance.packs.compact import form_of
from uol.conformance.packs.compact import stored as stored_in_pack
from uol.conformance.packs.owed import owed_of as owed_by_text
from uol.conformance.packs.runner.judge import Bounds, Owed, judged
from uol.conformance.packs.runner.numbers import EPSILON, nearest, spacing
from uol.conformance.packs.runner.stored import owed_by
from uol.ir.program.dtype_encoding import STORAGE, decode, encode
from uol.ir.program.rounding import round_to

CASES = [
    *(("relu", "f16", False), ("softmax", "f16", False), ("softmax", "bf16", False), ("sum", "f32", False)),
    *(("matmul", "f32", False), ("exp", "f64", False), ("max_with_index", "f32", False), ("cast", "f32", False)),
    *(("softmax", "f32", True), ("layer_norm", "f16", True), ("eq", "f32", False)),
]


def owed_of(prepared: Prepared, truth: Truth) -> list[Owed]:
    """What a case owes, as the runner reads it from the pack."""
    owed = owed_by_text(prepared, truth)
    tensors = [{"role": "out", "name": each.name, "dtype": each.dtype, "owed": form_of(each)} for each in owed]
    arrays = dict(chain.from_iterable(stored_in_pack(each) for each in owed))
    read = owed_by(tensors, arrays)
    for one, other in zip(owed, read, strict=True):
        assert_alike(one, other)
    return read


def assert_alike(written: Owed, read: Owed) -> None:
    """The bounds are the same numbers; the golden value to a thousandth of a unit in the last place."""
    assert (written.name, written.dtype) == (read.name, read.dtype)
    if written.dtype in EPSILON:
        near = nearest(written.golden, written.dtype)
        np.testing.assert_array_equal(nearest(read.golden, written.dtype), near)
        with np.errstate(invalid="ignore"):
            apart = np.abs(np.where(written.golden == read.golden, 0.0, written.golden - read.golden))
        apart = np.where(np.isnan(written.golden) & np.isnan(read.golden), 0.0, apart)
        assert (apart <= 1e-3 * spacing(near, written.dtype)).all()
    else:
        np.testing.assert_array_equal(written.golden, read.golden)
    assert len(written.alternatives) == len(read.alternatives)
    for one, other in zip(written.alternatives, read.alternatives, strict=True):
        assert one.distinct == other.distinct
        for a, b in ((one.low, other.low), (one.high, other.high), (one.places, other.places)):
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                np.testing.assert_array_equal(decode(a, written.dtype), decode(b, written.dtype))


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_golden_values_and_bounds_of_every_kind_are_read_as_they_were_written(dtype: str) -> None:
    random = np.random.default_rng(7)
    golden = random.standard_normal(500) * 2.0 ** random.integers(-150 if dtype == "f32" else -30, 15, 500)
    golden[:6] = 0.0, -0.0, np.nan, np.inf, -np.inf, 2.0**-160
    edges = random.standard_normal((2, 500)) * 2.0 ** random.integers(-30, 15, (2, 500))
    edges[:, 7:10] = [[-np.inf, -0.0, np.nan], [np.inf, 0.0, np.nan]]
    low, high = (stored(nearest(edge, dtype), dtype) for edge in edges)
    for value in (golden, golden[3].reshape(()), np.zeros(0), np.where(np.arange(500) == 9, 1e300, golden)):
        bounds = [Bounds(low[: value.size].reshape(value.shape), high[: value.size].reshape(value.shape))]
        owed = Owed("y", dtype, value, bounds)
        tensor = {"role": "out", "name": "y", "dtype": dtype, "owed": form_of(owed)}
        assert_alike(owed, owed_by([tensor], dict(stored_in_pack(owed)))[0])


def stored(values: Array, dtype: str) -> Array:
    return encode(values, dtype) if dtype in EPSILON else values.astype(STORAGE[dtype])


class ByElement(Truth):
    """What each element owes. A pack does not hold the RMS of all errors, which `uol conform` bounds as well."""

    def typical(self, prepared: Prepared) -> None:
        return None


def with_oracle(truth: Truth, prepared: Prepared, results: Mapping[str, Array]) -> Truth:
    """The oracle's results are no part of what is held here: they need not be computed."""
    truth._oracles = [(prepared.compiled.module.graph, dict(results))]
    return truth


def variants(owed: list[Owed]) -> Iterator[dict[str, Array]]:
    """Results as buffers: the golden value, and that with an element changed."""
    golden = {each.name: stored(each.golden, each.dtype) for each in owed}
    yield golden
    for each in owed:
        values = decode(golden[each.name], each.dtype)
        for changed in changes(each, values):
            yield golden | {each.name: changed}
        yield golden | {each.name: golden[each.name].reshape(-1)[:1]}


def changes(owed: Owed, values: Array, seed: int = 0) -> Iterator[Array]:
    random = np.random.default_rng(seed)
    place = tuple(int(random.integers(size)) for size in values.shape)
    if owed.dtype not in EPSILON:
        others = [~values[place]] if owed.dtype == "bool" else [values[place] + 1, values[place] - 1, -1]
    else:
        edges = [stored_edge for b in owed.alternatives for e in (b.low, b.high) if e is not None for stored_edge in [e[place]]]
        at = [decode(np.asarray(edge), owed.dtype) for edge in edges]
        ways = [nearest(edge + sign * 0.5001 * spacing(edge, owed.dtype), owed.dtype) for edge in at for sign in (-1.0, 1.0)]
        others = [np.nan, np.inf, 3 * values[place] + 1, -values[place], *at, *ways]
    for other in others:
        changed = values.copy()
        changed[place] = other
        yield stored(changed, owed.dtype)


@pytest.mark.parametrize(("op", "dtype", "gradients"), CASES)
def test_the_runner_decides_as_uol_does(op: str, dtype: str, gradients: bool) -> None:
    case = subjects(op, "cuda:h100", dtype, gradients=gradients)[0]
    prepared, truth = case.prepared(), ByElement()
    owed = owed_of(prepared, truth)
    right = {each.name: stored(each.golden, each.dtype) for each in owed}
    decided = set()
    for results in variants(owed):
        expected = judge(prepared, Outcome(results), with_oracle(truth, prepared, right))
        seen = judged(results, owed)
        assert seen.ok == (expected.status == "pass"), (seen.reason, expected.reason)
        decided.add(seen.ok)
    assert decided == {True, False}


@pytest.mark.parametrize(("op", "dtype"), [("softmax", "f16"), ("exp", "f32"), ("matmul", "bf16")])
def test_the_figures_are_those_of_uol(op: str, dtype: str) -> None:
    case = subjects(op, "cuda:h100", dtype)[0]
    prepared, truth = case.prepared(), Truth()
    owed = owed_of(prepared, truth)
    away = np.array(owed[0].golden)
    away.reshape(-1)[5] *= 1 + 2 * EPSILON[dtype]
    results = {owed[0].name: stored(away, dtype)}
    right = {owed[0].name: stored(owed[0].golden, dtype)}
    golden = judge(prepared, Outcome(results), with_oracle(truth, prepared, right)).golden
    seen = judged(results, owed)
    assert golden is not None and golden.max_abs > 0
    figures = golden.max_abs, golden.max_rel, golden.max_ulp
    assert (seen.max_abs, seen.max_rel, seen.max_ulp) == pytest.approx(figures, rel=1e-3)  # the golden value travels as f16
    assert seen.worst == golden.worst
    assert (seen.share > 1) == (golden.share > 1)


class _Known(ByElement):
    """What is admitted, as a test says it."""

    def __init__(self, admitted: Enclosed, results: Mapping[str, Array]) -> None:
        super().__init__(results)
        self.known = admitted

    def admitted(self, prepared: Prepared) -> Enclosed:
        return self.known


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16"])
def test_a_gradient_by_its_scale_is_judged_as_by_uol(dtype: str) -> None:
    """Where autograd's values lie apart from the golden ones, so that the contract around them admits nothing."""
    prepared = subjects("cross_entropy", "cuda:h100", dtype, gradients=True)[0].prepared()
    name = prepared.program.by_role("out")[0].name
    golden = np.asarray(round_to(Truth().admitted(prepared).results[name].value, dtype), np.float64)
    scale = TOLERANCE[dtype] * np.abs(golden).max()
    apart = {name: golden + 0.95 * scale}  # whose interval by the scale ends a little below the golden values
    truth = _Known(Enclosed({name: Enclosure(golden, golden - 0.1 * scale, golden + 0.1 * scale)}, {}, {}), apart)
    owed = owed_of(prepared, truth)
    right = stored(golden, dtype)
    decided = {True: 0, False: 0}
    for seed in range(8):
        for changed in changes(owed[0], decode(right, dtype), seed):
            expected = judge(prepared, Outcome({name: changed}), with_oracle(truth, prepared, {name: right}))
            seen = judged({name: changed}, owed)
            assert seen.ok == (expected.status == "pass"), (seen.reason, expected.reason)
            decided[seen.ok] += 1
    assert min(decided.values()) > 8


@pytest.mark.parametrize("op", ["argmax", "argsort"])
def test_places_that_rounding_may_pick_are_those_of_uol(op: str) -> None:
    """Of scores with errors: the library's first cases have exact ones."""
    case = subjects(op, "cuda:h100")[0]
    prepared = case.prepared()
    real, name = Truth().admitted(prepared), prepared.program.by_role("out")[0].name
    golden = real.results[name].value
    body = real.scores[name] if op == "argmax" else real.orders[name].body
    vague = Enclosure(body.value, body.value - 0.05, body.value + 0.05)
    scores = {name: vague} if op == "argmax" else {}
    orders = {} if op == "argmax" else {name: Ordered(vague, real.orders[name].descending, real.orders[name].place)}
    truth = _Known(Enclosed(real.results, scores, orders), {name: golden})
    owed = owed_of(prepared, truth)
    decided = {True: 0, False: 0}
    for picks in islice(_other_picks(golden, body.value.shape[-1]), 60):
        expected = judge(prepared, Outcome({name: picks}), with_oracle(truth, prepared, {name: golden}))
        seen = judged({name: picks}, owed)
        assert seen.ok == (expected.status == "pass"), (seen.reason, expected.reason)
        decided[seen.ok] += 1
    assert all(decided.values())


def _other_picks(golden: Array, candidates: int) -> Iterator[Array]:
    random = np.random.default_rng(1)
    yield golden.copy()
    while True:
        picks = golden.copy()
        flat = picks.reshape(-1, picks.shape[-1]) if picks.ndim > 1 else picks.reshape(1, -1)
        row = int(random.integers(len(flat)))
        if random.random() < 0.5 and flat.shape[1] > 1:  # two neighbours the other way round, which a sort may be
            first = int(random.integers(flat.shape[1] - 1))
            flat[row, [first, first + 1]] = flat[row, [first + 1, first]]
        else:
            flat[row, int(random.integers(flat.shape[1]))] = random.integers(-1, candidates + 1)
        yield picks


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_the_runner_rounds_as_uol_does(dtype: str) -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([random.standard_normal(500) * 10.0 ** random.integers(-45, 40, 500), [0.0, -0.0, np.inf, 65520.0]])
    assert np.array_equal(nearest(values, dtype), np.asarray(round_to(values, dtype), np.float64))


def test_a_bound_that_is_one_number_off_is_found() -> None:
    """The check above bites: a judge with wider bounds decides otherwise."""
    case = subjects("exp", "cuda:h100")[0]
    owed = owed_of(case.prepared(), Truth())[0]
    low, high = owed.alternatives[0].low, owed.alternatives[0].high
    assert low is not None and high is not None
    beyond = {owed.name: np.nextafter(high, np.float32(np.inf))}
    wider = replace(owed, alternatives=[replace(owed.alternatives[0], high=beyond[owed.name])])
    assert not judged(beyond, [owed]).ok and judged(beyond, [wider]).ok

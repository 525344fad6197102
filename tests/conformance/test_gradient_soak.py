"""Derived gradients against PyTorch's autograd on the texts: a sample of what the commands try. `make soak` takes those before
the sample, 2,000 texts more, from where UOL_SOAK_SEED says, and every operator; 20,000 are for the command."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from turns import by_turns

from uol.conformance import gradient_soak
from uol.conformance.gradients.trial import Outcome, State, Trial, general, smallest, trial, tried
from uol.conformance.library_gradients import differentiable, library_trial, workloads
from uol.conformance.random_texts.constructs import CONSTRUCTS, constructs
from uol.conformance.random_texts.texts import RandomText, random_texts
from uol.ir import parse
from uol.ir.gradients.maps.inverted_index import _Inversion
from uol.ir.gradients.text.algebra import Product

SAMPLE = range(30, 38)
"""The numbers that `make test` tries."""
AT_ONCE = 8
FINDERS = {"bound": 30, "factors": 37}
"""Numbers of the sample that find each planted fault."""


@pytest.mark.parametrize(
    "first", [*SAMPLE[::AT_ONCE], *(pytest.param(n, marks=pytest.mark.soak) for n in range(0, SAMPLE.start, AT_ONCE))]
)
def test_random_texts_have_the_gradients_of_autograd(first: int) -> None:
    found = gradient_soak.trials(range(first, first + AT_ONCE), kernels=16)
    assert not [gradient_soak.shown(t) for t in found if t.outcome.state == "wrong"]


FOUND = {
    "a tie with what is 0 at every size": (
        "t[i] = max(x[i], select(i <= i, 0, a[i])) * x[i]  y[i] = sum[l](t[l] * a[i])",
        {"N": 3, "M": 1},
    ),
    "a read within the index of a read that may lie outside": (
        "p[i] = argsort[q](x[q])  t[i] = x[p[i]] * x[i]  ys[i + 2 + i] += t[i] * a[i]  y[i] = ys[i] * x[i]",
        {"N": 3, "M": 1},
    ),
    "an index of the name of one around it, over another dim": (
        "y[i] = abs(min[l](b[l % N, l])) * sum[j](max[l](b[i, l] * b[i, l / 2]) * b[i, j])",
        {"N": 2, "M": 1},
    ),
    "two sorts of one tensor": (
        "(tv[i], tp[i]) = sort[q](x[q])  t[i] = tv[i]  (yv[i], yp[i]) = sort[q](x[q])  y[i] = yv[i] * t[i]",
        {"N": 3, "M": 1},
    ),
    "a bound that an inverse moves to another index": (
        "t[i, j] = b[i, j]  y[i] = sum[j, l >= j]((t[N - i, i + l] else 0) * t[i, l] * b[i, j])",
        {"N": 3, "M": 3},
    ),
    "an extremum that only a choice keeps inside": (
        "t[i] = x[i] - expm1(min[l](x[l] * x[i] * (a[i + 1] else 0)))  y[i] = prod[l](t[l])",
        {"N": 2, "M": 1},
    ),
    "a bounded index whose range a read with an `else` no longer says": (
        "y[i] = max(min(max[l <= i](b[0, M - 1 - l] * b[N - 1 - i, l]), 50), 50)",
        {"N": 2, "M": 1},
    ),
    "an index that comes to stand alone, over another dim": (
        "t[i] = min[l]((b[2, l] else 0) * (b[2 * l - l, i / 2] else 0)) * a[i]  y[i] = sum[l](a[l] * max[p](t[p]))",
        {"N": 2, "M": 1},
    ),
}
"""What the command has found once, with the sizes that showed it."""


@pytest.mark.parametrize("name", FOUND)
def test_what_random_texts_have_found(name: str) -> None:
    body, dims = FOUND[name]
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal(dims["N"]), "a": rng.standard_normal(dims["N"])}
    inputs["b"] = rng.standard_normal((dims["N"], dims["M"]))
    inputs["x"][0] = 0.0
    head = "op found(x: T[N], a: T[N], b: T[N, M]) -> (y: T[N]) for T in (f64, f32) where M > 0"
    outcome = tried(f"{head} {{\n" + body.replace("  ", "\n") + "\n}", dims, inputs)
    assert outcome.state == "right", outcome


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_many_random_texts(block: int) -> None:
    first = int(os.environ.get("UOL_SOAK_SEED", "100000")) + 100 * block
    found = gradient_soak.trials(range(first, first + 100), kernels=20)
    assert not [gradient_soak.shown(t) for t in found if t.outcome.state == "wrong"]


@pytest.mark.parametrize("name", by_turns(12, differentiable()))
def test_an_operator_of_the_library_has_the_gradients_of_autograd(name: str) -> None:
    for kind in ("random", "exact"):
        outcome = library_trial(workloads(name, 1000)[-1], kind)  # type: ignore[arg-type]  # one of the kinds
        assert outcome.state in ("right", "not finite"), outcome


def test_each_construct_is_in_one_text_of_twenty() -> None:
    count = 250
    held = Counter(name for n in range(count) for name in constructs(parse(next(random_texts(n)).text)[-1]))
    assert not [name for name in CONSTRUCTS if held[name] < 0.05 * count]


def rolled_without_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """(i + k) % m = value solved as if every value were a remainder of m."""
    rolled: Callable[..., bool] = _Inversion.rolled

    def rolled_anywhere(self: _Inversion, *args: object) -> bool:
        known = list(self.out.conditions)
        found = rolled(self, *args)
        self.out.conditions = known
        return found

    monkeypatch.setattr(_Inversion, "rolled", rolled_anywhere)


def equal_factors_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors that a rule makes equal stay two, and a product of several knows each by its last power."""

    def mapped(self: Product, rule: Callable) -> Product:
        return Product(self.coefficient, tuple((rule(f), p) for f, p in self.factors))

    def times(self: Product, other: Product) -> Product:
        powers = dict(self.factors)
        for factor, power in other.factors:
            powers[factor] = powers.get(factor, 0) + power
        return Product(self.coefficient * other.coefficient, tuple((f, p) for f, p in powers.items() if p))

    monkeypatch.setattr(Product, "mapped", mapped)
    monkeypatch.setattr(Product, "times", times)


@pytest.mark.parametrize(
    ("fault", "plant"), [("bound", rolled_without_its_bound), ("factors", equal_factors_kept_apart)], ids=["bound", "factors"]
)
def test_the_sample_finds_a_planted_fault(fault: str, plant: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FINDERS[fault] in SAMPLE and trial(FINDERS[fault]).outcome.state == "right"
    plant(monkeypatch)
    assert trial(FINDERS[fault]).outcome.state == "wrong"


def test_a_wrong_text_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    rolled_without_its_bound(monkeypatch)
    whole = trial(FINDERS["bound"])
    small = smallest(whole)
    assert small.outcome.state == "wrong" and len(small.text.text) < len(whole.text.text)
    assert "%" in small.text.text and "autograd gives" in gradient_soak.shown(small)


def made_up(state: State, reason: str = "") -> Trial:
    text = RandomText(0, "op small(x: f64[N]) -> (y: f64[N]) { y[i] = x[i] }", {"N": 1}, {})
    return Trial(text, Outcome(state, reason))


def test_the_exit_status_and_the_summary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gradient_soak, "CONSTRUCTS", ())
    found = [made_up("right")] * 399 + [made_up("refused", "TypeCheckError: nothing says how far `l` runs at 3")]
    for last, status in ((found[0], 0), (found[-1], 0), (made_up("wrong", "y[0] is 1"), 1)):
        monkeypatch.setattr(gradient_soak, "in_order", lambda *args, last=last: [*found, last])
        assert gradient_soak.main(["--count", "401"]) == status
    shown = capsys.readouterr().out
    assert "refused     2: TypeCheckError: nothing says how far `_` runs at 0" in shown and "y[0] is 1" in shown
    assert gradient_soak.falls_short([*found, *found[-1:] * 2]) and not gradient_soak.falls_short(found)


def test_equal_numbers_give_equal_texts() -> None:
    one, other = next(random_texts(7)), next(random_texts(7))
    assert one.text == other.text and one.dims == other.dims
    assert all(np.array_equal(one.inputs[name], other.inputs[name]) for name in one.inputs)
    assert general("`x` over 3") == general("`yy` over 17")

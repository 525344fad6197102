"""What grows faster than its operator is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from uol.conformance import growth
from uol.conformance.cases.reasons import reasons_of
from uol.conformance.growth import Growth, growth_of
from uol.ops.workloads import workloads_of


def test_scans_and_sums_grow_as_they_do() -> None:
    assert "cuda" in growth.TARGETS
    found = growth_of(["cumsum", "scatter_add"], ["cuda"], "f32")
    longer = {(g.op, g.dim) for g in found}
    assert longer == {("cumsum", "S"), ("cumsum", "N"), ("scatter_add", "N"), ("scatter_add", "D")}
    assert all(g.is_linear for g in found), [str(g) for g in found if not g.is_linear]


def test_what_grows_faster_is_not_linear() -> None:
    linear = Growth("f", "a machine", "n", 1, 4, 4.0, 4.0, 4.5, 4.0)
    assert linear.is_linear
    assert not Growth("f", "a machine", "n", 1, 4, 16.0, 4.0, 4.0, 4.0).is_linear
    assert not Growth("f", "a machine", "n", 1, 4, 4.0, 4.0, 16.0, 4.0).is_linear
    assert str(linear) == "f on a machine, n x 4: sectors x 4.00 for bytes x 4.00, statements x 4.50 for work x 4.00"


def test_what_compares_all_with_all_stays_so_when_it_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no kernel for an order counts, for each element, those that stand before it."""
    monkeypatch.setattr(growth, "STEPS", growth.STEPS[:2])
    (found,) = (g for g in growth_of(["sort"], ["ascendc"], "f32") if g.dim == "C")
    assert found.before == growth.LONGER
    assert not found.is_linear


def test_two_kernels_by_turns_grow_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """One takes 6 statements and 4 sectors an element, the other 4 and 6: no step is as the work, but two of them are."""

    def counted(places: Mapping[growth.Place, object], _: str) -> dict[growth.Place, tuple[float, ...]]:
        lengths = [1, *(n * growth.LONGER for n in growth.STEPS)]
        each = {n: (4, 6) if turn % 2 else (6, 4) for turn, n in enumerate(lengths)}
        return {place: tuple(n * place[3] for n in (each[place[3]][0], 4, each[place[3]][1], 4)) for place in places}

    monkeypatch.setattr(growth, "_counts", counted)
    found = {g.dim: g for g in growth_of(["cumsum"], ["cuda"], "f32")}["N"]
    assert found.is_linear
    assert (found.before, found.times) == (1, growth.LONGER**2)


def test_a_reason_is_of_a_dim_of_an_operator() -> None:
    for (op, dim), why in reasons_of("growth").items():
        assert dim in workloads_of(op)[0].flat_dims, (op, dim)
        assert len(why.split()) > 5


def test_what_has_no_reason_fails(capsys: pytest.CaptureFixture[str]) -> None:
    linear = Growth("cumsum", "cuda", "N", 1, 4, 4.0, 4.0, 4.0, 4.0)
    quadratic = Growth("cumsum", "cuda", "N", 1, 4, 16.0, 4.0, 4.0, 4.0)
    op, dim = next(iter(reasons_of("growth")))
    assert growth.report([linear]) == 0
    assert growth.report([linear, replace(quadratic, op=op, dim=dim)]) == 0
    assert "NO REASON" not in capsys.readouterr().out
    assert growth.report([linear, quadratic]) == 1
    assert "NO REASON" in capsys.readouterr().out
    assert growth.report([]) == 1


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(Exception, match="no statements are counted on nowhere"):
        growth.main(["--target", "nowhere"])

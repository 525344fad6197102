"""A step over lists is one launch and the copy of its table where a target has such, and a call a position elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from uol.compilation.foreach_launch import CHUNK
from uol.compilation.request import resolve_target
from uol.conformance.gap.lists import Form, ListForm, count_on, counts_known, listed, on_target
from uol.conformance.gap.measure import count_all, recorded_sizes
from uol.conformance.gap.model import CallForm
from uol.ir.errors import UolError

OPTIONS = (("lr", 0.1), ("momentum", 0.9), ("nesterov", 0), ("weight_decay", 0.0))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is known before."""
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path))


def position(*size: int, dtype: torch.dtype = torch.float32, op: str = "sgd_momentum") -> CallForm:
    x = torch.empty(size, device="meta")
    return CallForm(op, ((dtype, tuple(x.shape), x.stride()),) * 3, OPTIONS)


def test_positions_of_one_type_are_one_form() -> None:
    forms = [position(3, 5), position(7, dtype=torch.float16), position(CHUNK + 1), position(), position(0)]
    wide, narrow = listed(forms)
    assert wide == ListForm("sgd_momentum", (forms[0], *forms[2:])) and wide.lengths == (15, CHUNK + 1, 1, 0)
    assert narrow.positions == (forms[1],)
    assert len(listed([position(3), position(3, op="sgd_momentum_mixed")])) == 2


def test_a_position_whose_tensors_do_not_lie_alike_is_an_error() -> None:
    p = torch.empty(4, 6, device="meta")
    for given in ((p, p.t().contiguous().t(), p), (p[:, ::2],) * 3):
        inputs = tuple((x.dtype, tuple(x.shape), x.stride()) for x in given)
        with pytest.raises(UolError, match="a position of sgd_momentum has tensors that do not lie alike"):
            listed([CallForm("sgd_momentum", inputs, OPTIONS)])


def test_a_target_with_launches_over_runs_takes_all_at_once() -> None:
    (whole,) = listed([position(64, 64), position(CHUNK), position(5), position(CHUNK)])
    forms: dict[Form, int] = {whole: 1}
    cuda, other = resolve_target("cuda:a100"), resolve_target("ascendc")
    assert on_target(forms, cuda) == forms
    assert on_target(forms, other) == {position(64, 64): 1, position(CHUNK): 2, position(5): 1}
    assert not counts_known(whole, cuda)
    (found,) = count_on(whole, [cuda])
    assert counts_known(whole, cuda)
    table, step = found.kernels
    assert (table.issued.launches, step.issued.launches, step.issued.blocks) == (1, 1, 4)
    elements = 64 * 64 + 2 * CHUNK + 5
    assert step.issued.memory_bytes == 5 * 4 * elements + table.issued.memory_bytes


def test_a_paths_optimiser_is_one_launch_on_vendors() -> None:
    (case,) = recorded_sizes("cmap", "batch 64", "f16")
    ((form, calls),) = case.on("optimiser", "cuda:a100").items()
    assert isinstance(form, ListForm) and calls == 1
    apart = case.on("optimiser", "ascendc:910b2")
    assert sum(apart.values()) == len(form.positions) == 25
    alone = replace(case, forms={"optimiser": case.forms["optimiser"]})
    counts = count_all([alone], ["hip:mi250x"], 1, lambda done, of: None)
    assert [sum(kernel.issued.launches for kernel in found.kernels) for found in counts.values()] == [2]

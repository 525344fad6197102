"""What products must move, by hand; what their kernels do, in the twins; and that a kernel which does otherwise is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

import uol
from uol.backends.simt.kernel.layouts import SharedTile
from uol.backends.simt.products.matrix.registers import Moves
from uol.codegen.backend import Kernel
from uol.conformance.products import traffic
from uol.conformance.products.forms import FORMS, Form, keys_for
from uol.conformance.products.tiling import must_move, runs_of
from uol.conformance.products.traffic import Moved, forms_named, main, moved
from uol.ir.errors import UolError

SMALL = Form("rows and columns", "matmul", {"S": 1, "M": 64, "N": 64, "K": 64}, {"K": 128})
GROUPED = Form("rows in segments", "grouped_matmul", {"M": 40, "D": 64, "E": 3, "F": 64}, {"D": 128})


def product(op: str, dims: dict[str, int], schedule: str) -> Kernel:
    return uol.compile(op, "cuda", "f16", dims, schedule=schedule).module.kernels[-1]


def test_operands_are_moved_once_for_each_tile_across() -> None:
    kernel = product("matmul", {"S": 2, "M": 200, "N": 264, "K": 80}, "kind=matrix_tile,m=64,n=64,k=32,warps_m=2,warps_n=2")
    a, b, y = 2 * 200 * 80 * 2, 2 * 80 * 264 * 2, 2 * 200 * 264 * 2
    assert must_move(kernel) == a * 5 + b * 4 + y


def test_few_rows_are_moved_once_for_each_block() -> None:
    kernel = uol.compile("linear", "cuda", "f16", {"S": 1, "N": 4096, "K": 1024}).module.kernels[0]
    blocks = kernel.launch.blocks({})[0]
    assert must_move(kernel) == 1024 * 2 * blocks + 4096 * 1024 * 2 + 4096 * 2 * 2  # a bias and a result


def test_tiles_begin_anew_with_each_segment() -> None:
    kernel = product("grouped_matmul", {"M": 40, "D": 64, "E": 3, "F": 96}, "kind=matrix_tile,m=32,n=64")
    keys = [0] * 33 + [1] * 2 + [2] * 5
    assert runs_of(kernel.spec, {"expert": keys}) == (33, 2, 5)
    rows, weights, y = 40 * 64 * 2, 96 * 64 * 2, 40 * 96 * 2
    assert must_move(kernel, (33, 2, 5)) == rows * 2 + weights * (2 + 1 + 1) + y


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("form", [SMALL, GROUPED], ids=lambda form: form.name)
def test_kernels_move_what_tiles_must_without_conflicts(form: Form, target: str) -> None:
    found = moved(form, target)
    assert found.is_good and "tile" in found.schedules[0], found


def test_unswizzled_tiles_are_found(monkeypatch: pytest.MonkeyPatch, own_cache_with_twins: object) -> None:
    monkeypatch.setattr(SharedTile, "period", property(lambda tile: 1))
    found = moved(replace(SMALL, few={**SMALL.few, "N": 128}), "cuda")
    assert found.conflicts > 0 and not found.is_good


def test_threads_that_turn_rows_in_one_bank_are_found(monkeypatch: pytest.MonkeyPatch, own_cache_with_twins: object) -> None:
    monkeypatch.setattr(Moves, "is_in_pairs", property(lambda moves: False))
    found = moved(replace(SMALL, few={**SMALL.few, "M": 128}), "hip")
    assert found.conflicts > 0 and not found.is_good


def test_the_exit_status_says_whether_all_is_as_it_must_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Moved("tails", "cuda", ("tile",), 1000, 1100, 0)
    bad = (replace(good, moved=1101), replace(good, conflicts=1), replace(good, findings=("race",)))
    for found, status in ((good, 0), *((each, 1) for each in bad)):
        monkeypatch.setattr(traffic, "moved", lambda form, target, found=found: found)
        assert main(["--target", "cuda", "--form", "tails"]) == status
        assert ("MISSED" in capsys.readouterr().out) == bool(status)


def test_every_form_is_another_and_strangers_are_errors() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS) == len(forms_named(""))
    assert sorted(keys_for({"M": 6, "E": 2})) == [0, 0, 0, 0, 1, 1]
    with pytest.raises(UolError, match="no form of product is called dense"):
        forms_named("dense")
    with pytest.raises(UolError, match="no sectors are counted on cpu"):
        main(["--target", "cpu"])

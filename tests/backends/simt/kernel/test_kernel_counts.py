"""A kernel that is walked has what is found in its text when that is read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from forms_of_rows import ROW_FORMS, Form
from kernels_as_values import PLACES, SOFTMAX, SQUARES, backend, changed, kernel_of, machine, spec_of
from reading_back import read_back, text_of
from texts_of_products import PRODUCTS, sizes_of

from uol.backends.simt.c_text.terms import Pick, Scalar, Vector
from uol.backends.simt.choosing import rendering
from uol.backends.simt.choosing.schedules import SimtSchedule
from uol.backends.simt.kernel.counts import Counts, counts_of, kind_bytes, shared_bytes
from uol.backends.simt.kernel.nodes import Kernel, Store
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.schedule import BlockPerRow, ThreadPerRow
from uol.codegen.backend import Footprint
from uol.codegen.specs.nodes import Reduce

CASES = [(form, schedule) for form in ROW_FORMS for schedule in form.schedules]


def kernels_of(cases: list[tuple[Form, SimtSchedule]]) -> Iterator[tuple[str, Kernel]]:
    """The kernels of those of the forms that are reductions, and the schedules that they may take."""
    device = backend().devices[backend().default_device]
    for form, schedule in cases:
        spec = spec_of(form.text, form.dims)
        if isinstance(spec, Reduce) and isinstance(backend().check(spec, schedule, device), Footprint):
            kernel = rendering.plan_of(spec, schedule, machine())
            assert isinstance(kernel, Kernel)
            yield f"{form} {schedule}", kernel


@pytest.mark.parametrize("part", range(4))
def test_the_text_of_a_kernel_has_its_counts(part: int) -> None:
    found = list(kernels_of(CASES[part::4]))
    assert len(found) > 20
    for name, kernel in found:
        assert read_back(text_of(kernel)) == counts_of(kernel), name


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("tile", [TILES[0], TILES[5]], ids=str)
def test_the_text_of_a_product_has_its_counts(name: str, tile: Tile) -> None:
    for sizes in ({}, sizes_of(name)):
        kernel = kernel_of(PRODUCTS[name], tile, sizes)
        assert read_back(text_of(kernel)) == counts_of(kernel)
        assert counts_of(kernel).barriers == 2


KEPT = kernel_of(SOFTMAX, BlockPerRow(256), {"R": 5, "C": 257})
STAGED = kernel_of(SQUARES, BlockPerRow(256, 32, 1, True), {"R": 640, "C": 25})


def test_counts_are_of_one_turn() -> None:
    """Softmax: its values are read once, and stored once."""
    assert counts_of(KEPT) == Counts(16, 0, Counter(x=1), Counter(y=1))
    assert counts_of(STAGED).barriers == 1
    assert counts_of(STAGED).writes == {"x_rows": 1, "y": 1}
    assert counts_of(STAGED).reads == {"x": 1, "x_rows": 2}


def test_a_statement_that_the_text_lacks_is_noticed() -> None:
    fewer = changed(KEPT, lambda s: () if isinstance(s, Store) else (s,))
    assert read_back(text_of(fewer)) != counts_of(KEPT)
    assert read_back(text_of(fewer)) == counts_of(fewer)


@pytest.mark.parametrize(
    ("kernel", "lanes", "total"),
    [
        (KEPT, 32, 8 * 4),
        (KEPT, 64, 4 * 4),
        (STAGED, 32, 32 * 25 * 2),
        (kernel_of(PLACES, BlockPerRow(64), {"R": 5, "C": 70}), 32, 2 * 8),
        (kernel_of(SQUARES, ThreadPerRow(64), {"R": 70, "C": 3}), 32, 0),
    ],
)
def test_shared_memory_is_that_of_arrays_and_of_warps(kernel: Kernel, lanes: int, total: int) -> None:
    assert shared_bytes(kernel, lanes) == total


@pytest.mark.parametrize(
    ("kind", "index", "size"),
    [
        (Scalar("f16", stored=True), "int", 2),
        (Scalar("f16"), "int", 4),
        (Scalar("idx"), "long long", 8),
        (Vector(Scalar("i8", stored=True), 16), "int", 16),
        (Pick("f32"), "int", 8),
        (Pick("f32"), "long long", 16),
        (Pick("f64"), "int", 16),
    ],
)
def test_a_value_takes_the_bytes_of_its_c_type(kind: Scalar | Pick | Vector, index: str, size: int) -> None:
    assert kind_bytes(kind, index) == size

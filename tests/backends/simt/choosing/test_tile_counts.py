"""Tiles counted in closed form, beside what is read out of the texts of their kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from uol.backends.simt.attention.candidates import ROW_TILES
from uol.backends.simt.attention.counts import attention_counts
from uol.backends.simt.c_text.counters import TYPICAL_WINDOW, windows
from uol.backends.simt.choosing import issued
from uol.backends.simt.products.candidates import TILES
from uol.backends.simt.products.counts import contract_counts
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.reading import kernel_facts
from uol.backends.simt.reading.merged import Issue
from uol.backends.simt.reading.syntax import Branch, KernelText, Loop, Simple, Statement
from uol.backends.simt.reading.units import Types, operations_in, operations_of
from uol.binding.named_binding import bind_open_names
from uol.codegen.cost import middle
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec
from uol.codegen.work import Issued
from uol.compilation.pipeline import program_of
from uol.compilation.request import Request, Target, resolve_target
from uol.operators.registry import find_operator

PRODUCTS = {
    "matmul": {"S": 3, "M": 100, "K": 70, "N": 90},
    "conv2d": {"N": 2, "C": 3, "H": 9, "W": 7, "O": 5, "D": 3, "R": 3, "S": 3},
}
HEADS = {"B": 1, "H": 2, "G": 2, "L": 128, "M": 128, "D": 16, "E": 32}


@pytest.fixture
def as_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Operations as the text has them, of which the closed forms are: a compiler leaves some of the integers' out."""

    def written(kernel: KernelText, types: Types) -> dict[int, tuple[Issue, ...]]:
        loops = frozenset(id(each) for each in statements(kernel.body) if isinstance(each, Loop))
        found: dict[int, tuple[Issue, ...]] = {}
        for each in statements(kernel.body):
            match each:
                case Simple():
                    found[id(each)] = tuple(Issue(*count, loops) for count in operations_in(each, types).items())
                case Branch(condition=condition):
                    found[id(condition)] = tuple(Issue(*count, loops) for count in operations_of(condition, types).items())
        return found

    def forget() -> None:
        issued._read.cache_clear()
        kernel_facts.facts_of_kernel.cache_clear()

    forget()
    monkeypatch.setattr(kernel_facts, "merged", written)
    yield
    forget()


def statements(body: Iterable[Statement]) -> Iterator[Statement]:
    """Of a text, one within another."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop | Branch):
            yield from statements(statement.body)


def specs_of(op: str, dtype: str, dims: Mapping[str, int | None], target: Target) -> tuple[KernelSpec, ...]:
    request = Request(bind_open_names(find_operator(op), dtype, dims, {}), target)
    return lower(program_of(request), target.backend, request.layouts).specs


def require_alike(counted: Issued, read: Issued) -> None:
    """What is computed beside the products counts there alone; integers are about as many."""
    assert counted.scratch_bytes == read.scratch_bytes
    assert (counted.blocks, counted.waves) == (read.blocks, read.waves)
    for unit, number in counted.operations.items():
        least, most = (0.65, 1.1) if unit == "integer" else (0.85, 1.0)
        assert least <= middle(number) / middle(read.operations[unit]) <= most, unit


@pytest.mark.usefixtures("as_written")
@pytest.mark.parametrize(("op", "dtype"), [("matmul", "f64"), ("conv2d", "f16")])
@pytest.mark.parametrize("name", ["cuda", "hip"])
def test_tiles_of_products(op: str, dtype: str, name: str) -> None:
    target = resolve_target(name)
    products = [s for s in specs_of(op, dtype, PRODUCTS[op], target) if isinstance(s, Contract)]
    assert products
    for spec in products:
        for tile in TILES[::3]:
            counted = contract_counts(spec, tile, target.device)
            require_alike(counted, target.backend.issued(spec, tile, target.device))


@pytest.mark.usefixtures("as_written")
@pytest.mark.parametrize("op", ["attention", "attention_grad"])
def test_tiles_of_rows_that_divide_them(op: str) -> None:
    target = resolve_target("cuda")
    fused = [s for s in specs_of(op, "f16", HEADS, target) if isinstance(s, Attention)]
    assert fused
    for spec in fused:
        counted = attention_counts(spec, ROW_TILES[2], target.device)
        require_alike(counted, target.backend.issued(spec, ROW_TILES[2], target.device))


def test_a_dim_that_shortens_another_is_a_window() -> None:
    """A filter as wide as the picture, 2048, would leave nothing of it: neither tiles nor the order of axes are by that."""
    target, fixed = resolve_target("cuda"), PRODUCTS["conv2d"]
    opened: dict[str, int | None] = {**fixed, "S": None}
    (spec,) = (s for s in specs_of("conv2d", "f32", opened, target) if isinstance(s, Contract))
    assert windows(spec.axes) == {"S": TYPICAL_WINDOW}
    assert next(iter(target.backend.schedules(spec, target.device))) == TILES[-1]
    (made,) = (s for s in specs_of("conv2d", "f32", fixed, target) if isinstance(s, Contract))
    assert windows(made.axes) == {}
    for of_any, of_one in zip(*(specs_of("conv2d_grad", "f32", dims, target) for dims in (opened, fixed)), strict=True):
        assert [axis.name for axis in of_any.axes] == [axis.name for axis in of_one.axes]


def test_the_tile_that_fills_the_device_is_taken() -> None:
    """Of those on threads."""
    target = resolve_target("cuda")
    for size, tile in ((4096, TILES[0]), (64, TILES[-1])):
        (spec,) = specs_of("matmul", "f32", {"S": 1, "M": size, "K": 511, "N": size}, target)
        assert next(s for s in target.backend.schedules(spec, target.device) if isinstance(s, Tile)) == tile

"""The cheapest groups of small graphs, each worked out by hand; and of the paths, against the second estimate."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from uol.conformance.gap.reference.graph import BIT, F32, Graph, Tensor, axes
from uol.conformance.gap.reference.grouping import Group, Rates, grouped
from uol.conformance.gap.reference.timed import graph_of, least_bytes
from uol.conformance.gap.reference.units import units_of
from uol.conformance.paths.full_size import full_size_of

SECOND = Path(__file__).with_name("second_estimate.py")
DEVICES = {
    "A100": Rates(1759e9, 258.7e12, 1.4e-6),
    "MI250X (one die)": Rates(1248e9, 147e12, 2.1e-6),
    "910B2": Rates(2200e9, 314.5e12, 1.5e-6),
}
ROWS, WIDE = axes(M=64, K=32), axes(M=64, N=128)
WITHIN = 0.01


def product(graph: Graph, name: str, a: Tensor, b: Tensor) -> Tensor:
    """[M, K] x [N, K] -> [M, N]."""
    return graph.product(name, WIDE, (a, b), ("K",), 2 * 64 * 128 * 32)


def operands(graph: Graph) -> tuple[Tensor, Tensor]:
    return graph.given("a", ROWS), graph.given("b", axes(N=128, K=32))


def crossing(groups: Iterable[Group]) -> list[tuple[set[str], set[str]]]:
    """Names of what each group reads and writes, products first."""
    return [({t.name for t in g.reads}, {t.name for t in g.writes}) for g in sorted(groups, key=lambda g: not g.products)]


def test_what_follows_a_product_in_its_index_space_is_beside_it() -> None:
    graph = Graph(2)
    y = graph.elements("y", WIDE, product(graph, "c", *operands(graph)), graph.given("bias", axes(N=128)))
    low = graph.rows("low", axes(M=64), y)
    graph.result(y, graph.elements("z", WIDE, y, low), graph.total("sum", axes(N=128), y))
    assert crossing(grouped(graph)) == [({"a", "b", "bias"}, {"y", "z", "sum"})]


def test_what_needs_a_sum_over_other_axes_waits_for_its_end() -> None:
    graph = Graph(2)
    c = product(graph, "c", *operands(graph))
    graph.result(graph.elements("y", WIDE, c, graph.total("sum", axes(N=128), c)))
    assert crossing(grouped(graph)) == [({"a", "b"}, {"c", "sum"}), ({"c", "sum"}, {"y"})]


def test_windows_and_sums_by_routing_are_passes() -> None:
    graph = Graph(2)
    graph.result(graph.move("y", axes(M=32, N=128), product(graph, "c", *operands(graph))))
    assert crossing(grouped(graph)) == [({"a", "b"}, {"c"}), ({"c"}, {"y"})]


@pytest.mark.parametrize("form", ["elements", "gather"])
def test_an_operand_may_be_made_of_one_tensor_and_vectors(form: str) -> None:
    graph = Graph(2)
    a, b = operands(graph)
    scale = graph.given("scale", axes(M=64))
    made = graph.elements("made", ROWS, a, scale) if form == "elements" else graph.gather("made", ROWS, a, scale)
    graph.result(product(graph, "c", made, b))
    assert crossing(grouped(graph)) == [({"a", "scale", "b"}, {"c"})]


def test_an_operand_made_of_two_tensors_is_written_first() -> None:
    graph = Graph(2)
    a, b = operands(graph)
    graph.result(product(graph, "c", graph.elements("made", ROWS, a, graph.given("other", ROWS)), b))
    assert crossing(grouped(graph)) == [({"made", "b"}, {"c"}), ({"a", "other"}, {"made"})]


def test_of_strides_what_is_read_crosses() -> None:
    graph = Graph(2)
    a, b = operands(graph)
    every = graph.part("every second", axes(M=64, K=32), graph.given("whole", axes(M=128, K=32)))
    graph.result(product(graph, "c", every, b), product(graph, "d", a, b))
    assert sum(g.bytes for g in grouped(graph)) == 2 * (64 * 32 + 64 * 32 + 128 * 32 + 2 * 64 * 128)


def test_products_of_one_operand_and_products_that_are_added_are_one() -> None:
    graph = Graph(2)
    a, b = operands(graph)
    c, d = product(graph, "c", a, b), product(graph, "d", a, graph.given("e", b.axes))
    other = product(graph, "f", graph.given("x", ROWS), graph.given("y", b.axes))
    added = product(graph, "g", graph.given("v", ROWS), graph.given("w", b.axes))
    both = graph.elements("both", WIDE, other, added)
    later = product(graph, "later", graph.elements("of c", ROWS, c), b)  # shares b with c, and waits for it
    graph.result(d, both, later)
    assert units_of(graph) == [(c, d), (other, added), (later,)]
    assert ({"x", "y", "v", "w"}, {"both"}) in crossing(grouped(graph))


def test_no_group_spans_the_loss_and_a_truth_value_is_a_bit() -> None:
    graph = Graph(2)
    c = product(graph, "c", *operands(graph))
    y = graph.elements("y", WIDE, c, graph.given("shortcut", WIDE))
    positive = graph.elements("positive", WIDE, y, width=BIT)
    graph.result(y)
    graph.at("backward", "")
    dy = graph.given("dy", WIDE)
    graph.result(graph.elements("dx", WIDE, dy, positive))
    assert crossing(grouped(graph)) == [({"a", "b", "shortcut"}, {"y", "positive"}), ({"dy", "positive"}, {"dx"})]


def test_a_pass_is_computed_again_where_that_crosses_less() -> None:
    """relu of what is saved, beside another product: nothing but what is saved is read."""
    graph = Graph(2)
    a, b = operands(graph)
    c = product(graph, "c", a, b)
    y = graph.elements("y", WIDE, c, graph.total("sum", axes(N=128), c))
    graph.result(graph.total("of y", axes(N=128), y))
    d = product(graph, "d", graph.given("e", ROWS), graph.given("f", b.axes))
    graph.result(graph.elements("z", WIDE, d, y))
    found = crossing(grouped(graph))
    assert ({"e", "f", "c", "sum"}, {"z"}) in found and not any("y" in written for _, written in found)


def test_what_is_stored_is_computed_again_where_that_crosses_less() -> None:
    """The sign of a tensor that a product needs written: a pass that reads what it is made of anyway reads no more for it."""
    graph = Graph(2)
    one, other = graph.given("one", ROWS), graph.given("other", ROWS)
    x = graph.elements("x", ROWS, one, other)
    positive = graph.elements("positive", ROWS, x, width=BIT)
    graph.result(product(graph, "c", x, graph.given("b", axes(N=128, K=32))))
    graph.at("backward", "")
    graph.result(graph.total("sum", axes(K=32), graph.given("dx", ROWS), positive, one, other))
    found = crossing(grouped(graph))
    assert ({"dx", "one", "other"}, {"sum"}) in found and ({"one", "other"}, {"x"}) in found


def test_bytes_that_operations_hide_cost_no_time() -> None:
    """A product that takes long reads both tensors again in the place of their sum, which a pass then need not write."""
    graph, rates = Graph(2), Rates(1e6, 1e6, 1e-9)
    c = product(graph, "c", *operands(graph))
    both = [graph.given(name, WIDE) for name in ("one", "other")]
    mid = graph.elements("mid", WIDE, *both)
    graph.result(graph.elements("y", WIDE, c, mid), graph.total("sum", axes(N=128), mid))
    found = grouped(graph, rates)
    assert crossing(found) == [({"a", "b", "one", "other"}, {"y"}), ({"one", "other"}, {"sum"})]
    assert seconds(found, rates) == pytest.approx(2 * 64 * 128 * 32 / 1e6 + (4 * 64 * 128 + F32 * 128) / 1e6 + 2e-9)


def seconds(groups: Iterable[Group], rates: Rates) -> float:
    return sum(max(g.bytes / rates.bandwidth, g.operations / rates.matrix) + rates.launch for g in groups)


def test_the_least_of_all_groupings_by_trying_them() -> None:
    """A chain of elements and sums between two products: every set of tensors that may be written, tried one by one."""
    graph = Graph(2)
    a, b = operands(graph)
    c = product(graph, "c", a, b)
    s = graph.total("s", axes(N=128), c)
    y = graph.elements("y", WIDE, c, s)
    z = graph.elements("z", WIDE, y, graph.given("other", WIDE))
    t = graph.total("t", axes(N=128), z)
    w = graph.elements("w", WIDE, z, t)
    graph.result(w)
    wide, row = 2 * 64 * 128, F32 * 128
    inputs = a.bytes + b.bytes
    tried = []
    for stores_y, stores_z in itertools.product((False, True), repeat=2):
        of_y = wide + row + wide if stores_y else 0  # a pass reads c and s, writes y
        read_for_z = 2 * wide if stores_y else 2 * wide + row  # y or c and s, and the other
        of_z = read_for_z + wide * stores_z + row  # a pass that makes t, and writes z where it is stored
        of_w = (wide if stores_z else read_for_z) + row + wide
        tried.append(inputs + wide + row + of_y + of_z + of_w)
    assert sum(g.bytes for g in grouped(graph)) == min(tried)


@pytest.fixture(scope="module")
def second() -> list[dict[str, Any]]:
    """What the second estimate prints, which shares nothing with what is tested here."""
    done = subprocess.run([sys.executable, str(SECOND), "--json"], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


CASES = [(path, case) for path in ("moe", "cmap", "resnet50") for case in full_size_of(path).cases]


@pytest.mark.parametrize(("path", "case"), CASES)
def test_the_second_estimate_agrees(path: str, case: str, second: Sequence[dict[str, Any]]) -> None:
    """Operations equal; bytes, and T_ref on three devices, within 1 %."""
    other = next(each for each in second if (each["path"], each["size"]) == (path, case))
    dims = full_size_of(path).cases[case]
    for phase in ("forward", "backward"):
        part = other["parts"][phase]
        own = [g for g in least_bytes(path, dims, "f16") if g.leader.phase == phase]
        assert sum(g.operations for g in own) == pytest.approx(part["gflop"] * 1e9, rel=1e-12)
        assert sum(g.bytes for g in own) == pytest.approx(part["gb_fused"] * 1e9, rel=WITHIN)
        for device, rates in DEVICES.items():
            timed = [g for g in grouped(graph_of(path, dims, 2), rates) if g.leader.phase == phase]
            assert seconds(timed, rates) == pytest.approx(part["t_ref_ms"][device]["f16"] * 1e-3, rel=WITHIN), device

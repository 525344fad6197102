"""What a spec has to do: by hand for every kind, and by counting what an interpreter of specs reads and writes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import spec_interpreter
from every_spec import KINDS, graph_of, spec_of
from middle import lowered
from middle_texts import LINEAR

from uol.codegen.indexing.arithmetic import value_at
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec, Read, Store
from uol.codegen.work import Work, compulsory, matrix_kind, work_of
from uol.ir.errors import UolError
from uol.ir.types import DTYPES

# (bytes read, bytes written, operations) of the specs of every_spec.py, in f16 with sums in f32
BY_HAND = {
    "map": (8 * 2, 8 * 2, {"f32-vector": 8}),  # x * 2, of 8
    # of 3 x 8: two folds, (x - mu) * (x - mu), (x - mu), + eps, * w; a quotient and a root an element, two quotients a row
    "reduce": (24 * 2 + 8 * 2, 24 * 2, {"f32-vector": 2 * 24 + 3 * 24 + 3 * 24, "special": 2 * 24 + 2 * 3}),
    "contract": (12 * 2 + 20 * 2 + 5 * 2, 15 * 2, {"f16-matrix": 2 * 3 * 4 * 5, "f32-vector": 2 * 15}),  # 3 x 4 by 4 x 5
    "pack": (12 * 2, 12 * 2, {}),
    "folds": (12 * 2 + 20 * 2 + 5 * 2, 15 * 2, {"f32-vector": 60 + 60 + 2 * 15}),  # product and sum apart
    "scan": (12 * 2, 12 * 2, {"f32-vector": 12}),
    "scatter": (4 * 2 + 4 * 8, 3 * 4, {"f32-vector": 4}),  # into f32, all of which starts at 0
    "select": (4 * 2, 4 * 8, {"f32-vector": 4}),  # places are i64
    "search": (4 * 2 + 5 * 2, 4 * 4, {"f32-vector": 4 * 3}),  # five keys are halved three times
    "rows": (12 * 2 + 4 * 8 + 30 * 2, 20 * 2, {"f16-matrix": 2 * 4 * 5 * 3}),  # 4 keys look up in two matrices of 5 x 3
    "terms": (20 * 2 + 12 * 2 + 4 * 4, 30 * 2, {"f16-matrix": 2 * 4 * 5 * 3}),  # each of 4 terms in one of two segments
    # 3 rows, 4 cols, depth 5, width 6: both products; s - hi, and two folds; exp, and a quotient an element of the result
    "attention": (
        15 * 2 + 20 * 2 + 24 * 2,
        18 * 2,
        {"f16-matrix": 2 * 12 * 5 + 2 * 12 * 6, "f32-vector": 12 + 2 * 12, "special": 12 + 18},
    ),
}


def numbers(work: Work) -> tuple[int, int, dict[str, int]]:
    operations = {kind: value_at(count, {}) for kind, count in work.operations.items()}
    return value_at(work.read_bytes, {}), value_at(work.written_bytes, {}), operations


@pytest.mark.parametrize("kind", KINDS)
def test_the_work_of_every_kind_of_spec_is_what_a_hand_counts(kind: str) -> None:
    assert numbers(work_of(spec_of(kind))) == BY_HAND[kind]


def touched(graph: KernelGraph, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Bytes that each kernel of a graph reads and writes, every element once, by running it."""
    places: dict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    run = spec_interpreter._Run
    read, store = run.read, run.store

    def noted_read(self: spec_interpreter._Run, r: Read) -> spec_interpreter.Array:
        found = read(self, r)
        places[self.spec.name, "read"] |= {(r.tensor, int(at)) for at in np.unique(self.eval(r.offset))}
        return found

    def noted_store(self: spec_interpreter._Run, step: Store) -> None:
        store(self, step)
        places[self.spec.name, "written"] |= {(step.tensor, int(at)) for at in np.unique(self.eval(step.offset))}

    monkeypatch.setattr(run, "read", noted_read)
    monkeypatch.setattr(run, "store", noted_store)
    random = np.random.default_rng(0)
    args = {a.name: a for a in graph.args if a.role == "in"}
    sizes = {name: tuple(value_at(e, {}) for e in a.shape) for name, a in args.items()}
    scalars = {s.name: 1.0 for s in graph.scalars}
    spec_interpreter.run_graph(graph, {n: np.sort(random.integers(0, 2, sizes[n])) for n in args}, scalars)

    def total(spec: KernelSpec, what: str) -> int:
        return sum(DTYPES[spec.arg(tensor).dtype].bytes for tensor, _ in places[spec.name, what])

    return {s.name: (total(s, "read"), total(s, "written")) for s in graph.specs}


@pytest.mark.parametrize("kind", ["reduce", "contract", "scan", "select", "terms"])
def test_bytes_are_those_of_the_elements_that_a_run_touches(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(kind)
    assert {s.name: numbers(work_of(s))[:2] for s in graph.specs} == touched(graph, monkeypatch)


def test_the_work_is_a_closed_form_in_the_dims() -> None:
    (spec,) = lowered(LINEAR, types={"T": "f32"}, dims={"K": 7}).specs
    work = work_of(spec)
    for m, n in ((1, 1), (3, 5), (100, 9)):
        dims = {"M": m, "N": n}
        assert value_at(work.read_bytes, dims) == 4 * (7 * m + 7 * n + n)
        assert value_at(work.operations["f32-matrix"], dims) == 2 * 7 * m * n
    with pytest.raises(UolError, match="dims that are arguments"):
        compulsory(spec)


KINDS_OF_PRODUCTS = {"f64": "f64-matrix", "bf16": "bf16-matrix", "u8": "i8-matrix", "i64": "integer"}


@pytest.mark.parametrize(("dtype", "kind"), KINDS_OF_PRODUCTS.items())
def test_products_are_named_like_the_unit_that_does_them(dtype: str, kind: str) -> None:
    read = Read("x", spec_of("map").axes[0].extent, (), (), None, dtype)
    assert matrix_kind(read, read) == kind

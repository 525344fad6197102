"""Where a result may lie on an input: each element is read for its own write alone."""

from __future__ import annotations

import pytest
from before_after import agree
from middle import lowered

from uol.codegen.specs.in_place import writes_in_place

OWN = "op f(x: T[N]) -> (y: T[N]) for T in (f32) { y[n] = x[n] * 2 }"
NEXT = "op f(x: T[N]) -> (y: T[N]) for T in (f32) { y[n] = x[n] + (x[n + 1] else 0) }"


def test_its_own_element() -> None:
    graph = lowered(OWN, dims={"N": 4})
    agree(
        graph.specs[0],
        """
        Map f: n < 4
          line 2   y_value = x[n] * 2
          line 2   y[n] = y_value
        """,
    )
    assert writes_in_place(graph, "x", "y")


def test_a_neighbour() -> None:
    graph = lowered(NEXT, dims={"N": 4})
    agree(
        graph.specs[0],
        """
        Map f: n < 4
          line 2   y_value = x[n] + (x[n + 1] if n + 1 < 4 else 0)
          line 2   y[n] = y_value
        """,
    )
    assert not writes_in_place(graph, "x", "y")


@pytest.mark.parametrize("text", [OWN, NEXT])
def test_another_tensor_is_no_obstacle(text: str) -> None:
    assert writes_in_place(lowered(text, dims={"N": 4}), "other", "y")

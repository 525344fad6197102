"""Fences around buffers: what is written beside them is a finding, and what is read there stops the process."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import uol
from uol.compiler import Compiled
from uol.conformance.cases.guard_pages import WIDTH, fenced, run_fenced


def stride_of(array: np.ndarray) -> tuple[int, ...]:
    return tuple(s // array.itemsize for s in array.strides)


@pytest.mark.parametrize("trap", [False, True])
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (1030,), (0, 4)])
def test_a_fenced_array_is_the_same_array(shape: tuple[int, ...], trap: bool) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    for given in (array, array.T, np.broadcast_to(array, (2, *shape))):
        found = fenced(given, trap)
        np.testing.assert_array_equal(found.array, given)
        assert not given.size or stride_of(found.array) == stride_of(given)
        assert found.whole


@pytest.mark.parametrize("place", [-1, 8, -WIDTH // 4, 8 + WIDTH // 4 - 1])
def test_a_write_beside_a_buffer_is_a_finding(place: int) -> None:
    found = planted(lambda x, y: y.__setitem__(place, 0))
    assert found == ("wild-write: beside y",)


@pytest.mark.parametrize("place", [-1, 0])
def test_a_write_beside_no_elements_is_a_finding(place: int) -> None:
    assert planted(lambda x, y: y.__setitem__(place, 0), 0) == ("wild-write: beside y",)
    assert planted(lambda x, y: x.__setitem__(place, 0), 0) == ("wild-write: beside x",)


def test_a_write_into_an_input_is_a_finding() -> None:
    assert planted(lambda x, y: x.__setitem__(2, 5)) == ("wild-write: into the input x",)
    assert planted(lambda x, y: x.__setitem__(8, 5)) == ("wild-write: beside x",)
    assert planted(lambda x, y: None) == ()


def planted(fault: Any, count: int = 8) -> tuple[str, ...]:
    """The findings of a relu on a few elements that does one thing more."""
    right = uol.compile("relu", dims={"S": (count,)})
    around = (WIDTH // 4) * 2 + count

    class Wide:
        """The memory around a buffer, by the index of an element."""

        def __init__(self, array: np.ndarray) -> None:
            self.memory = np.ctypeslib.as_array(
                (np.ctypeslib.as_ctypes_type(np.float32) * around).from_address(array.ctypes.data - WIDTH)
            )

        def __setitem__(self, place: int, value: float) -> None:
            self.memory[WIDTH // 4 + place] = value

    def loaded(x: np.ndarray, y: np.ndarray) -> None:
        right.loaded(x, y)
        fault(Wide(x), Wide(y))

    wrong = SimpleNamespace(
        module=right.module, inputs=right.inputs, request=right.request, scalars=right.scalars, loaded=loaded
    )
    results, findings = run_fenced(cast(Compiled, wrong), {"x": np.ones(count, np.float32)})
    assert results["y"].shape == (count,)
    return findings


def test_a_read_behind_a_trap_stops_the_process() -> None:
    text = """
import ctypes, numpy as np
from uol.conformance.cases.guard_pages import fenced
array = fenced(np.ones(5, np.float32), trap=True).array
print(ctypes.c_float.from_address(array.ctypes.data + 16).value, flush=True)
ctypes.c_float.from_address(array.ctypes.data + 20).value
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.stdout == "1.0\n"
    assert done.returncode < 0

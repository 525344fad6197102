"""Random operators of every statement form: interpreter, lowered specs, oracle and CPU kernels agree.

Floats agree where they lie within what the accuracy contract admits, integers exactly. The suite takes 50 operators, always
the same; `make soak` takes 50 more and 20,000, from where UOL_SOAK_SEED says.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from cpu_cases import graph_of, run_compiled
from every_floor import MACHINES, Ready, require, require_stored
from hypothesis import HealthCheck, Phase, given, seed, settings
from kernel_case import KernelCase
from random_ops import Case, typed_ops
from spec_interpreter import ANY_DEVICE, run_graph
from turns import by_turns

from uol.backends.cpu.oracle import oracle
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Contract, Scan, Scatter, Segments, Select
from uol.ir import Library, instantiate, interpret, parse, print_op
from uol.ir.program.dtype_encoding import encode

BLOCK = 25
BLOCKS = 4
SOAK_BLOCKS = 800
FIRST = int(os.environ.get("UOL_SOAK_SEED", "1000"))


def cases(number: int, **given_: Any) -> list[Case]:
    """A block of operators, the same in every run."""
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=BLOCK, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
    )
    @given(typed_ops(dtypes=("f64", "f32", "f16", "bf16"), whole=True, **given_))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def agree(number: int, case: Case) -> set[type]:
    """All floors on one operator. Gives the kinds of its kernels."""
    ops = parse(case.text)
    assert tuple(parse("\n".join(print_op(o) for o in ops))) == tuple(ops)
    program = instantiate(ops[-1], Library(ops), types={"T": case.dtype}, dims=case.dims)
    shown = KernelCase(number, case.text, case.dtype, case.dims, {}, case.inputs, {}, False)
    buffers = {t.name: encode(case.inputs[t.name], t.dtype) for t in program.by_role("in")}
    item = Ready(shown, ops[-1], program, {}, buffers)
    admitted = item.admitted("cpu")
    require(item, "interpreter", interpret(program, case.inputs), admitted)
    for machine in MACHINES[:2]:
        graph = lower(program, machine, {}, device=ANY_DEVICE)  # type: ignore[arg-type]
        require(item, f"specs of a machine that {machine.name}", run_graph(graph, case.inputs), admitted)
    graph = graph_of(program)
    require_stored(item, "oracle", oracle.run(graph, buffers), admitted)
    require_stored(item, "kernels", run_compiled(graph, buffers), admitted)
    return {Segments if isinstance(spec, Contract) and spec.segments is not None else type(spec) for spec in graph.specs}


def block_agrees(number: int) -> set[type]:
    kinds: set[type] = set()
    wrong: list[str] = []
    for case in cases(number):
        try:
            kinds |= agree(number, case)
        except Exception as error:  # all of them are wanted, not the first
            wrong.append(f"{type(error).__name__}: {error}\n{replace(case, inputs={})}\n{case.text}")
    assert not wrong, "\n\n".join(wrong)
    return kinds


@pytest.mark.parametrize("number", by_turns(4, range(BLOCKS)))
def test_random_operators_of_every_form(number: int) -> None:
    assert len(block_agrees(number) & {Scan, Scatter, Select}) >= 2


@pytest.mark.soak
@pytest.mark.parametrize("number", range(FIRST, FIRST + SOAK_BLOCKS))
def test_many_random_operators_of_every_form(number: int) -> None:
    block_agrees(number)

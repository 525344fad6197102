"""Texts to kernel graphs for a machine that takes everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from spec_interpreter import ANY_DEVICE, capability_of, run_graph, sizes

from uol.codegen.backend import Device, GroupSummary
from uol.codegen.lowering import lower
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.nodes import KernelSpec
from uol.ir import Library, instantiate, interpret, parse
from uol.ir.program.nodes import Program


class Anything:
    """The part of a backend that lowering asks."""

    def __init__(
        self,
        accepts: Callable[[KernelSpec], bool],
        kinds: frozenset[type[KernelSpec]] = frozenset(),
        puts: bool = False,
    ) -> None:
        self.takes = accepts
        segments = frozenset({"rows", "terms"} if kinds else ())
        self.capability = replace(
            capability_of(kinds),
            segments=segments,
            computed_factors=bool(kinds),
            searches=0 if kinds else None,
            puts=puts,
        )

    def accepts(self, group: GroupSummary) -> bool:
        return self.takes(group.spec())

    def legalise(self, spec: KernelSpec, device: Device) -> tuple[KernelSpec, ...]:
        return (spec,)


def program_of(text: str, **given: Any) -> Program:
    ops = parse(text)
    return instantiate(ops[-1], Library(ops), **{"types": {"T": "f32"}, **given})


def lowered(
    text: str,
    layouts: dict[str, tuple[int, ...]] | None = None,
    accepts: Callable[[KernelSpec], bool] = lambda spec: True,
    kinds: frozenset[type[KernelSpec]] = frozenset(),
    puts: bool = False,
    **given: Any,
) -> KernelGraph:
    return lowered_program(program_of(text, **given), layouts, accepts, kinds, puts)


def lowered_program(
    program: Program,
    layouts: dict[str, tuple[int, ...]] | None = None,
    accepts: Callable[[KernelSpec], bool] = lambda spec: True,
    kinds: frozenset[type[KernelSpec]] = frozenset(),
    puts: bool = False,
) -> KernelGraph:
    # as much of a backend as lowering asks: what it accepts, and which kinds it has
    return lower(program, Anything(accepts, kinds, puts), layouts or {}, device=ANY_DEVICE)  # type: ignore[arg-type]  # a part of one


def run(
    text: str,
    inputs: Mapping[str, Any] | None = None,
    scalars: Mapping[str, float] | None = None,
    legalise: Callable[[KernelSpec], tuple[KernelSpec, ...]] = lambda spec: (spec,),
    kinds: frozenset[type[KernelSpec]] = frozenset(),
    puts: bool = False,
    **given: Any,
) -> None:
    """Lowered specs, run over all their points with every promise of a spec checked, give the golden value."""
    program = program_of(text, **given)
    rng = np.random.default_rng(0)
    made = {t.name: rng.integers(-3, 4, sizes(t.shape)) for t in program.by_role("in")}
    values = {**made, **{n: np.asarray(v, np.float64) for n, v in (inputs or {}).items()}}
    machine = Anything(lambda spec: True, kinds, puts)
    machine.legalise = lambda spec, device: legalise(spec)  # type: ignore[method-assign]
    graph = lower(program, machine, {}, device=ANY_DEVICE)  # type: ignore[arg-type]
    golden, got = interpret(program, values, scalars or {}), run_graph(graph, values, scalars or {})
    for name, want in golden.items():
        np.testing.assert_allclose(got[name], want, rtol=1e-12, atol=1e-12)

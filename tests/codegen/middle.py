"""Texts to kernel graphs for a machine that takes everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uol.codegen.lowering import lower
from uol.codegen.spec import KernelGraph, KernelSpec
from uol.ir import Library, instantiate, parse
from uol.ir.nodes import Program


class Anything:
    """The part of a backend that lowering asks."""

    def __init__(self, accepts: Callable[[KernelSpec], bool]) -> None:
        self.accepts = accepts

    def legalise(self, spec: KernelSpec) -> tuple[KernelSpec, ...]:
        return (spec,)


def program_of(text: str, **given: Any) -> Program:
    ops = parse(text)
    return instantiate(ops[-1], Library(ops), **{"types": {"T": "f32"}, **given})


def lowered(
    text: str,
    layouts: dict[str, tuple[int, ...]] | None = None,
    accepts: Callable[[KernelSpec], bool] = lambda spec: True,
    **given: Any,
) -> KernelGraph:
    return lower(program_of(text, **given), Anything(accepts), layouts or {})  # type: ignore[arg-type]

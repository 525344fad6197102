"""Forms of products, by operators of the library. Each has the size that its tiles are chosen for, and two at which the twin
computes with these tiles: a few of them, with few and with more tiles of k. What the second moves beyond the first, loops over
tiles of k have moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from uol.backends.twin.record import Array
from uol.codegen.backend import Module
from uol.codegen.indexing.arithmetic import NO_DIMS, value_at
from uol.codegen.schedule import schedule_text
from uol.compiler import Compiled, compile
from uol.conformance.gap.routing import keys_by
from uol.ir.types import is_float

Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Form:
    """`few` is the first of the sizes; the second is that with the dim of `deeper` in its place. `large`: the size for which
    tiles are chosen; None: they are those of the sizes themselves."""

    name: str
    op: str
    few: Sizes
    deeper: Sizes
    large: Sizes | None = None

    @property
    def more(self) -> Sizes:
        return {**self.few, **self.deeper}


SQUARE = {"S": 1, "M": 4096, "N": 4096, "K": 4096}
ROWS = {"S": 4096, "N": 4096, "K": 4096}
EXPERTS = {"M": 32768, "D": 2048, "E": 128, "F": 768}
TILES = {"S": 1, "M": 256, "N": 256, "K": 128}
FORMS = (
    Form("k along both", "linear", {"S": 256, "N": 256, "K": 128}, {"K": 480}, ROWS),
    Form("rows and columns", "matmul", TILES, {"K": 256}, SQUARE),
    Form("both gradients", "matmul_grad", TILES, {"K": 256}, SQUARE),
    Form("tails", "matmul", {"S": 1, "M": 200, "N": 144, "K": 112}, {"K": 240}, SQUARE),
    Form("batched", "matmul", {**TILES, "S": 3}, {"K": 256}, {"S": 64, "M": 512, "N": 512, "K": 512}),
    Form("rows in segments", "grouped_matmul", {"M": 500, "D": 128, "E": 4, "F": 256}, {"D": 256}, EXPERTS),
    Form("gradients in segments", "grouped_matmul_grad", {"M": 512, "D": 256, "E": 4, "F": 256}, {"M": 1024}, EXPERTS),
    Form("1 row", "linear", {"S": 1, "N": 512, "K": 2048}, {"K": 4096}, {**ROWS, "S": 1}),
    Form("4 rows", "linear", {"S": 4, "N": 512, "K": 2048}, {"K": 4096}, {**ROWS, "S": 4}),
    Form("16 rows", "linear", {"S": 16, "N": 4096, "K": 512}, {"K": 1024}, {**ROWS, "S": 16}),
    Form("16 rows, a weight by columns", "matmul", {"S": 1, "M": 16, "N": 4096, "K": 512}, {"K": 1024}),
    Form("parts of the terms", "matmul", {"S": 1, "M": 128, "N": 128, "K": 2048}, {"K": 4096}),
)


def modules_of(form: Form, target: str) -> tuple[Module, Module]:
    """The kernels at both sizes, in f16."""
    given = None if form.large is None else _schedules(compile(form.op, target, "f16", form.large))
    few, more = (compile(form.op, target, "f16", sizes, schedule=given) for sizes in (form.few, form.more))
    return few.module, more.module


def inputs_of(module: Module, keys: list[int]) -> dict[str, Array]:
    """Random numbers, and these keys of segments."""
    draw = np.random.default_rng(0)
    found: dict[str, Array] = {}
    for arg in module.graph.args:
        if arg.role == "in":
            shape = [value_at(extent, NO_DIMS) for extent in arg.shape]
            numbers = draw.standard_normal(shape).astype(np.float16)
            found[arg.name] = numbers if is_float(arg.dtype) else np.array(keys, np.int64)
    return found


def keys_for(sizes: Sizes) -> list[int]:
    """The segments of rows, as 1 / s of the s-th."""
    return keys_by("Zipf", sizes["M"], sizes["E"]) if "E" in sizes else []


def _schedules(compiled: Compiled) -> list[str]:
    return [f"kernel={kernel.spec.name},{schedule_text(kernel.schedule)}" for kernel in compiled.module.kernels]

"""The tiles that attentions may take are found in one go: they are those that fit when each is asked for alone."""

from __future__ import annotations

from typing import cast

import pytest

from uol.backends import registry
from uol.backends.simt.attention.gradient.candidates import gradient_rows
from uol.backends.simt.attention.matrix.candidates import matrix_rows
from uol.backends.simt.attention.matrix.kinds import MATRIX_ATTENTIONS
from uol.backends.simt.simt_backend import SimtBackend
from uol.codegen.backend import Footprint
from uol.codegen.lowering import lower
from uol.codegen.specs.nodes import Attention
from uol.ir import instantiate
from uol.operators.registry import catalogue, find_operator


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("op", ["causal_attention", "masked_attention", "causal_attention_grad", "masked_attention_grad"])
@pytest.mark.parametrize("width", [8, 64, 120, 256])
def test_the_tiles_are_those_that_fit_alone(target: str, op: str, width: int) -> None:
    backend = cast(SimtBackend, registry.get(target))
    device = backend.devices[backend.default_device]
    machine = backend.machine_of(device)
    dims = {"B": 2, "H": 4, "G": 2, "L": 300, "M": 300, "D": 64, "E": width}
    program = instantiate(find_operator(op), catalogue(), types={"T": "f16"}, dims=dims)
    specs = [spec for spec in lower(program, backend, {}).specs if isinstance(spec, Attention)]
    assert specs, "the operator is one"
    left_out = 0
    for spec in specs:
        tiles = gradient_rows(machine) if op.endswith("_grad") else matrix_rows(machine)
        alone = [tile for tile in tiles if isinstance(MATRIX_ATTENTIONS.check(spec, tile, machine), Footprint)]
        assert list(MATRIX_ATTENTIONS.candidates(spec, machine, device)) == alone
        left_out += len(tiles) - len(alone)
    assert left_out or width < 256, "some are too wide"

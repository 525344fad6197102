"""The emitted text of the six first operators, and of one over many runs, as reviewed: a change is a diff of readable kernels.

`pytest tests/backends/simt/test_golden_kernels.py --update-golden` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from simt_cases import Case, conv, image, module_of

import uol
from uol.backends import registry
from uol.backends.simt.elements.schedule import RUN
from uol.codegen.extensions import ForeachBackend

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = (
    Case("relu", {"S_0": 7, "S_1": 33}, "f16", rank=2),
    Case("add", {"S": 100}, "f32", rank=1),
    Case("softmax", {"S": 5, "C": 257}, "f16", rank=1),
    Case("linear", {"S": 33, "N": 64, "K": 17}, "f16", rank=1),
    Case("conv2d", conv(2, 3, 9, 7, 5, 3, 3), "f32", {"pad": 1}),
    Case("max_pool2d", image(2, 3, 7, 9), "f32"),
)


@pytest.mark.parametrize("target", ["cuda", "hip"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.op)
def test_text_is_as_reviewed(case: Case, target: str, update_golden: bool) -> None:
    device = module_of(case, target).device
    file = GOLDEN / target / device.name
    if update_golden:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(device.text)
    assert device.text == file.read_text(), f"{file} differs; --update-golden writes it anew"


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_text_over_many_runs_is_as_reviewed(target: str, update_golden: bool) -> None:
    backend = registry.get(target)
    assert isinstance(backend, ForeachBackend)
    one = uol.compile("sgd_momentum_mixed", target, {"T": "f32", "U": "bf16"}, {"S": (RUN,)}, {"lr": 0.1}).module
    module = backend.foreach_module(one)
    assert module is not None
    file = GOLDEN / target / module.device.name
    if update_golden:
        file.write_text(module.device.text)
    assert module.device.text == file.read_text(), f"{file} differs; --update-golden writes it anew"


def test_text_is_the_same_every_time() -> None:
    case = CASES[4]
    assert module_of(case, "cuda").device.text == module_of(case, "cuda").device.text

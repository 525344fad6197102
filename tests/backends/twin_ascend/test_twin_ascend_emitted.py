"""Kernels as the generator would emit them if it did not know a rule of the vendor's library: each fails by that rule.

A line of `planted_bugs/*.cpp` that ends in `// ! kind` is where a finding of that kind must be; no other finding may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ascend_modules import dense, job, module
from ascend_planted import marks

from uol.backends.twin import TwinRun, execute_many
from uol.backends.twin.record import Array
from uol.codegen.specs.nodes import Arg
from uol.ir.program.nodes import Scalar
from uol.ir.program.threefry import threefry

TEXTS = Path(__file__).parent / "planted_bugs"
SEED = 7


@dataclass(frozen=True)
class Emitted:
    """A text, how its kernel is launched, its buffers, and the rule that the finding must name."""

    name: str
    kernel: tuple[str, str, int]
    args: tuple[Arg, ...]
    inputs: dict[str, Array]
    rule: str
    scalars: dict[str, float | int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return (TEXTS / f"{self.name}.cpp").read_text()

    def run(self) -> TwinRun:
        symbol, core, blocks = self.kernel
        scalars = [Scalar(name, "i64" if isinstance(value, int) else "f32") for name, value in self.scalars.items()]
        made = module(self.text, self.args, {symbol: (core, blocks)}, scalars)
        return execute_many([job(made, self.inputs, self.scalars)])[0]


def halves(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("f2")


EMITTED = (
    Emitted(
        "matmul",
        ("matmul_kernel", "aic", 12),
        (dense("a", "f16", [50, 600], "in"), dense("b", "f16", [600, 40], "in"), dense("y", "f16", [50, 40], "out")),
        {"a": halves(50, 600), "b": halves(600, 40)},
        "TPipe sets M_MTE1 ids 0, 1 and 2",
    ),
    Emitted(
        "dropout",
        ("dropout_kernel", "aiv", 1),
        (dense("x", "f32", [200], "in"), dense("y", "f32", [200], "out")),
        {"x": np.ones(200, "f4")},
        "twice the count",
        {"seed": SEED, "p": 0.5},
    ),
    Emitted(
        "mse_loss",
        ("mse_loss_kernel", "aiv", 1),
        (dense("x", "f16", [60], "in"), dense("t", "f16", [60], "in"), dense("y", "f16", [], "out")),
        {"x": halves(60), "t": halves(60)},
        "whole blocks",
    ),
)


@pytest.mark.parametrize("emitted", EMITTED, ids=lambda e: e.name)
def test_a_broken_rule_is_named_at_its_lines(emitted: Emitted) -> None:
    findings = emitted.run().findings
    assert {(f.kind, f.line) for f in findings} == marks(emitted.text) != set()
    assert all(emitted.rule in f.message for f in findings)


def test_half_of_the_words_stay_untouched() -> None:
    """The dropout that takes And and Or for instructions on 32 bits keeps and drops the right elements of the first 128 (256
    half words of them), as Threefry's own arithmetic says, and others after that."""
    (emitted,) = (e for e in EMITTED if e.name == "dropout")
    kept = emitted.run().outputs["y"] != 0
    first, _ = threefry(np.array(SEED), np.arange(200))  # the text makes a block an element, of which it takes one word
    right = first.view(np.int32) >= 0  # p = 0.5
    np.testing.assert_array_equal(kept[:128], right[:128])
    assert (kept[128:] != right[128:]).any()


def test_every_text_is_run() -> None:
    assert {path.stem for path in TEXTS.glob("*.cpp")} == {e.name for e in EMITTED}

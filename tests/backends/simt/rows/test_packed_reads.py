"""What neighbouring rows read apart is copied side by side before: depthwise convolutions in the twin, beside PyTorch's
autograd in float64, within what sums in f32 and one rounding lose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from simt_cases import widened

import uol
from uol.backends.simt.rows import packed_reads
from uol.backends.twin.record import Array, Job
from uol.backends.twin.run import execute_many
from uol.binding.layouts import channels_last
from uol.codegen.backend import Module
from uol.codegen.specs.nodes import Pack
from uol.compilation.pipeline import generate
from uol.ir.program.dtype_encoding import decode, encode

UNIT = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}


@dataclass(frozen=True)
class Case:
    """A depthwise convolution by a 3x3 filter, padded by 1, `many` results a channel; or its gradient."""

    target: str
    dtype: str
    channels: int
    many: int = 1
    stride: int = 1
    is_gradient: bool = False

    @property
    def op(self) -> str:
        return "conv2d_grad" if self.is_gradient else "conv2d"

    @property
    def dims(self) -> dict[str, int]:
        return {"N": 2, "C": self.channels, "H": 9, "W": 10, "O": self.channels * self.many, "D": 1, "R": 3, "S": 3}

    @property
    def attrs(self) -> dict[str, int]:
        return {"pad": 1, "groups": self.channels, "stride": self.stride}

    @property
    def is_copied(self) -> bool:
        """Are the channels the last of the rows, which a warp has side by side? They are not of two results a channel, whose
        number is the last; nor of a strided data gradient, whose residues are."""
        return self.stride == 1 if self.is_gradient else self.many == 1

    @property
    def name(self) -> str:
        return f"{self.target}-{self.op}-{self.dtype}-{self.channels}x{self.many}-{self.stride}"


CASES = tuple(
    Case(target, dtype, channels, many, stride, is_gradient)
    for target in ("cuda", "hip")
    for is_gradient in (False, True)
    for dtype, channels, many, stride in (("f16", 40, 1, 1), ("bf16", 33, 1, 1), ("f32", 34, 2, 1), ("f16", 64, 1, 2))
)


@cache
def module_of(case: Case) -> Module:
    """Channels-last as PyTorch has it: the taps of a filter lie side by side. Few rows are enough for a copy."""
    request = uol.compile(case.op, case.target, case.dtype, case.dims, case.attrs).request
    shapes = {name: array.shape for name, array in inputs_of(case).items()}
    results = {name: array.shape for name, array in expected(case)[0].items()}
    layouts = {name: channels_last(shape) for name, shape in (shapes | results).items()}
    with pytest.MonkeyPatch.context() as small:
        small.setattr(packed_reads, "FEWEST", 1)
        small.setattr(packed_reads, "ROWS_FOR_EACH", 4)
        return generate(replace(request, layouts=layouts))


@cache
def inputs_of(case: Case) -> dict[str, Array]:
    rng, dims = np.random.default_rng(52), case.dims
    height, width = (-(-dims[each] // case.stride) for each in "HW")
    shapes = {"x": (2, dims["C"], 9, 10), "w": (dims["O"], 1, 3, 3)}
    if case.is_gradient:
        shapes["dy"] = (2, dims["O"], height, width)
    return {name: decode(encode(rng.standard_normal(shape), case.dtype), case.dtype) for name, shape in shapes.items()}


@cache
def expected(case: Case) -> tuple[dict[str, Array], dict[str, Array]]:
    """PyTorch's results in float64, and the sums of absolute values that they are of."""
    found = []
    for change in (np.asarray, np.abs):
        given = {name: torch.tensor(change(np.asarray(array, np.float64))) for name, array in inputs_of(case).items()}
        x, w = (given[name].requires_grad_() for name in "xw")
        y = torch.nn.functional.conv2d(x, w, None, case.stride, 1, 1, case.channels)
        results = {"y": y}
        if case.is_gradient:
            results = dict(zip(("dx", "dw"), torch.autograd.grad(y, (x, w), given["dy"]), strict=True))
        found.append({name: each.detach().numpy() for name, each in results.items()})
    return found[0], found[1]


@cache
def results() -> dict[Case, tuple[dict[str, Array], object]]:
    encoded = ({name: encode(array, case.dtype) for name, array in inputs_of(case).items()} for case in CASES)
    runs = execute_many([Job(module_of(case), each) for case, each in zip(CASES, encoded, strict=True)])
    return {case: (dict(run.outputs), run.findings) for case, run in zip(CASES, runs, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_depthwise_convolution_reads_a_copy_of_its_filter(case: Case) -> None:
    module = module_of(case)
    copies = [kernel.spec for kernel in module.kernels if isinstance(kernel.spec, Pack)]
    assert len(copies) == case.is_copied
    assert all(copy.index[-1].extent.value >= 32 for copy in copies), "channels lie side by side in it"
    outputs, findings = results()[case]
    assert not findings, f"{findings}\n{module.device.text}"
    for name, right in expected(case)[0].items():
        terms = 9 if name != "dw" else 180
        most = UNIT[case.dtype] * np.abs(right) + terms * 2.0**-23 * expected(case)[1][name] + 2.0**-24
        assert np.all(np.abs(widened(outputs[name], case.dtype) - right) <= most), name


def test_small_convolutions_keep_their_filter() -> None:
    """A launch more costs more than the sectors of few elements."""
    case = CASES[0]
    module = uol.compile(case.op, case.target, case.dtype, case.dims, case.attrs).module
    assert not any(isinstance(kernel.spec, Pack) for kernel in module.kernels)

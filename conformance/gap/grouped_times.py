"""What the model says of grouped, depthwise and transposed convolutions: the time of each beside the least.

    python -m uol.conformance.gap.grouped_times [--batch 32] [--dtype f16] [--target TARGETS] [--form grouped-32x4,...]

Images are channels-last. Forward and gradient, the latter both of the image and of the filter, each with all of its kernels.
Times are modelled, from the counts of the kernels' texts, launches included; the least time is the larger one of two: that of
all operands and results, each once, at the bandwidth that the device streams with, and that of the products at the rate that
its matrix units attain, or its vector units where none multiplies the type. Prints a line for each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import uol
from uol.codegen.cost import time_of
from uol.compilation.pipeline import generate
from uol.compilation.request import resolve_target
from uol.conformance.command import run_command
from uol.conformance.gap.few_row_times import TARGETS, bytes_seconds
from uol.conformance.main_loops import with_channels_last

FILTER = 3
UNITS = ("matrix-attained", "matrix", "vector")  # whose rate bounds the products: the first one that the device states
SIDE = 56


@dataclass(frozen=True, slots=True)
class Form:
    """One convolution by a 3x3 filter: channels of image and result, groups, stride, and the side of its image."""

    op: str
    channels: tuple[int, int]
    groups: int
    stride: int = 1
    side: int = SIDE

    @property
    def is_transposed(self) -> bool:
        return self.op.startswith("conv_transpose")

    def dims(self, batch: int) -> dict[str, int]:
        c, o = self.channels
        image = {"N": batch, "C": c, "H": self.side, "W": self.side, "R": FILTER, "S": FILTER}
        return {**image, "D": o // self.groups} if self.is_transposed else {**image, "O": o, "D": c // self.groups}

    @property
    def attrs(self) -> dict[str, int]:
        more = {"output_pad": self.stride - 1} if self.is_transposed else {}
        return {"stride": self.stride, "pad": FILTER // 2, "groups": self.groups, **more}

    def operations(self, batch: int) -> int:
        """Of one direction: a product and a sum for each tap of each pair of channels, at each place of the smaller image."""
        c, o = self.channels
        places = self.side if self.is_transposed else -(-self.side // self.stride)
        return 2 * batch * places**2 * c * (o // self.groups) * FILTER**2


FORMS = {
    "grouped-32x4": Form("conv2d", (128, 128), 32),
    "grouped-32x8": Form("conv2d", (256, 256), 32),
    "grouped-32x16": Form("conv2d", (512, 512), 32, side=28),
    "depthwise": Form("conv2d", (144, 144), 144),
    "depthwise-stride-2": Form("conv2d", (144, 144), 144, stride=2),
    "transposed-stride-2": Form("conv_transpose2d", (128, 64), 1, stride=2, side=28),
}
"""Those of ResNeXt-50 (32 groups of 4, 8 and 16 channels), of MobileNetV2, and of a U-Net."""


@dataclass(frozen=True, slots=True)
class GroupedTime:
    """Of one operator on one device: seconds by the model, and the least."""

    form: str
    op: str
    target: str
    dtype: str
    kernels: int
    seconds: float
    least: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.least

    def __str__(self) -> str:
        times = f"{self.seconds * 1e6:8.1f} us modelled, {self.least * 1e6:7.1f} us at least: {self.ratio:6.2f}"
        number = f"{self.kernels} kernel{'s' * (self.kernels > 1)}"
        return f"{self.form:20} {self.op:22} {self.target:11} {self.dtype:5} {times}; {number}"


def grouped_time(form: str, target: str, dtype: str, batch: int, *, is_gradient: bool = False) -> GroupedTime:
    """Of a form, or of its gradient, over `batch` images."""
    convolution, found = FORMS[form], resolve_target(target)
    device = found.device
    op = f"{convolution.op}_grad" if is_gradient else convolution.op
    asked = uol.compile(op, target, dtype, convolution.dims(batch), convolution.attrs)
    module = generate(with_channels_last(asked.request))
    issued = (found.backend.issued(kernel.spec, kernel.schedule, device) for kernel in module.kernels)
    seconds = [time_of(each, device).seconds for each in issued]
    rate = next(device.rates[name].si for name in (f"{dtype}-{units}" for units in UNITS) if name in device.rates)
    products = convolution.operations(batch) * (2 if is_gradient else 1) / rate
    return GroupedTime(form, op, target, dtype, len(seconds), sum(seconds), max(products, bytes_seconds(module, device)))


def grouped_times(targets: Sequence[str], dtypes: Sequence[str], forms: Sequence[str], batch: int) -> Iterator[GroupedTime]:
    """Of every form on every target, in every type, and of its gradient."""
    for target in targets:
        for dtype in dtypes:
            for form in forms:
                yield from (grouped_time(form, target, dtype, batch, is_gradient=back) for back in (False, True))


def known_forms(text: str) -> list[str]:
    """Names of forms, by commas."""
    found = text.split(",")
    if not set(found) <= FORMS.keys():
        raise ValueError(text)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.gap.grouped_times", description=__doc__)
    parser.add_argument("--batch", type=int, default=32, help="images")
    parser.add_argument("--dtype", default="f16", help="types, by commas")
    parser.add_argument("--target", default=",".join(TARGETS), help="devices, by commas")
    parser.add_argument("--form", type=known_forms, default=[*FORMS], help=f"by commas: {', '.join(FORMS)}")
    given = parser.parse_args(arguments)
    for time in grouped_times(given.target.split(","), given.dtype.split(","), given.form, given.batch):
        print(time, flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)

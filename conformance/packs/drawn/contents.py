"""What travels of a case whose inputs are drawn: of inputs how they are drawn and some of the values, of results a sample."""

from __future__ import annotations

from math import prod

import numpy as np

from uol.conformance.accuracy.interval import Array
from uol.conformance.packs.drawn.generator import drawing
from uol.conformance.packs.drawn.owed import owed_of_sample
from uol.conformance.packs.drawn.sample import sample_of
from uol.conformance.packs.drawn.whole import Whole
from uol.conformance.packs.held import Binaries, Held, binaries_of, launch_of
from uol.conformance.packs.runner.judge import Owed
from uol.ir.program.dtype_encoding import encode
from uol.ir.program.nodes import Tensor
from uol.ops.inputs import static_shape

SEEN_OF_DRAWN = 256
"""Elements of an input that is drawn whose values travel: a card that draws others is told of before its results are judged."""


def held_of(whole: Whole) -> Held:
    """Raises UolError where a result is too large and cannot be sampled."""
    program = whole.prepared.program
    arrays: dict[str, Array] = {}
    draws: dict[str, tuple[dict[str, object], Binaries]] = {}
    for tensor in program.by_role("in"):
        if tensor.name in whole.carried:
            arrays[f"in.{tensor.name}"] = encode(whole.carried[tensor.name], tensor.dtype)
        else:
            draws[tensor.name] = _drawing(whole, tensor)
            arrays |= _seen(whole, tensor)
    owed: list[Owed] = []
    for tensor in program.by_role("out"):
        sample = sample_of(whole.symbolic, tensor.name, whole.dims, whole.prepared.case.seed)
        owed.append(owed_of_sample(whole, tensor.name, sample).owed)
        for number, indices in enumerate(sample.of(whole.symbolic.tensors[tensor.name], whole.dims)):
            arrays[f"sample{number}.{tensor.name}"] = indices
    return Held(owed, arrays, draws)


def _drawing(whole: Whole, tensor: Tensor) -> tuple[dict[str, object], Binaries]:
    draw, target = whole.draws[tensor.name], whole.prepared.compiled.request.target
    artifact = drawing(draw, tensor.dtype, prod(static_shape(tensor)), target)
    (kernel,) = artifact.module.kernels
    return {**launch_of(kernel, {}), "values": draw.attributes}, dict(binaries_of(artifact))


def _seen(whole: Whole, tensor: Tensor) -> dict[str, Array]:
    """Values that the card must have drawn, and where: the first, the last, and others between them."""
    last = prod(static_shape(tensor)) - 1
    at = np.unique(np.linspace(0, last, SEEN_OF_DRAWN).astype(np.int64))
    return {f"at.{tensor.name}": at, f"drawn.{tensor.name}": encode(whole.draws[tensor.name].values(at), tensor.dtype)}

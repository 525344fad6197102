"""How near results and gradients of the layer are to float64, beside PyTorch's in the same type, on the same routing.

python -m uol.conformance.paths.moe.accuracy check
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from uol.conformance.accuracy.dual import Dual, dual_benchmark
from uol.conformance.accuracy.interval import Array
from uol.conformance.paths.moe import layer, twin
from uol.conformance.paths.moe.sizes import SIZES, Sizes

LEVEL = "L1"
DTYPES: Mapping[str, torch.dtype] = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
LOSSES = (0.01, 0.001)
"""What the router's two losses weigh."""

Named = Mapping[str, Tensor]


def compare(sizes: Sizes, dtype: str, seeds: Sequence[int] = (0,), capacity: int | None = None) -> dict[str, Dual]:
    """By result and gradient: our error over the twin's, of all draws together. Where a draw has few numbers, the one that
    comes nearest to 0 decides alone what its largest relative error is."""
    runs = [_errors(sizes, dtype, seed, capacity) for seed in seeds]
    found = {}
    for name in runs[0]:
        ours, theirs, golden = (np.concatenate([run[name][side] for run in runs]) for side in range(3))
        found[name] = dual_benchmark(ours, theirs, golden, dtype, LEVEL)
    return found


def _errors(sizes: Sizes, dtype: str, seed: int, capacity: int | None) -> dict[str, tuple[Array, Array, Array]]:
    """What is to be compared, flat: ours, the twin's, and the twin's in float64 on the same, rounded, numbers."""
    shape = (sizes.width, sizes.hidden, sizes.experts, sizes.top, capacity)
    generator = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(sizes.tokens, sizes.width, generator=generator).to(DTYPES[dtype]) for _ in range(2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ours = layer.MixtureOfExperts(*shape).to(DTYPES[dtype])
    theirs, golden = (twin.MixtureOfExperts(*shape).to(t) for t in (DTYPES[dtype], torch.float64))
    for module in (theirs, golden):
        module.load_state_dict(ours.state_dict())
    mixed = ours(x.requires_grad_())
    found = with_gradients(ours, x, mixed, dy)
    partner, exact = (
        with_gradients(module, y, module(y, mixed.expert), dy)
        for module, y in ((theirs, x.detach().clone().requires_grad_()), (golden, x.detach().double().requires_grad_()))
    )
    return {name: (_flat(found[name]), _flat(partner[name]), _flat(exact[name])) for name in found}


def _flat(values: Tensor) -> Array:
    flat: Array = values.detach().double().numpy().reshape(-1)
    return flat


def with_gradients(module: torch.nn.Module, x: Tensor, mixed: layer.Mixed | twin.Mixed, dy: Tensor) -> dict[str, Tensor]:
    """Results, and the gradients of <y, dy> and the losses of the router."""
    wide = mixed.balance.dtype
    weights = [torch.tensor(w, dtype=wide) for w in LOSSES]
    torch.autograd.backward([mixed.y, mixed.balance, mixed.z], [dy.to(mixed.y.dtype), *weights])
    gradients = {f"d{name}": value.grad for name, value in (("x", x), *module.named_parameters())}
    return {"y": mixed.y, "balance": mixed.balance, "z": mixed.z} | {n: g for n, g in gradients.items() if g is not None}


def main() -> int:
    """Prints the ratios at one of the sizes; 1 where one is beyond its limit."""
    found = [(dtype, name, dual) for dtype in DTYPES for name, dual in compare(SIZES[sys.argv[1]], dtype).items()]
    for dtype, name, dual in found:
        print(f"{dtype:5}{name:9}{'' if dual.ok else 'FAILED '}{dual.detail}", flush=True)
    return int(not all(dual.ok for _, _, dual in found))


if __name__ == "__main__":
    sys.exit(main())

"""The layer over ranks beside itself on one, at one of the sizes of `sizes.py`:

    torchrun --nproc-per-node 2 -m uol.conformance.paths.moe.ranks check
    torchrun --nproc-per-node 4 -m uol.conformance.paths.moe.ranks narrow --seeds 24 --dtype bf16

Each rank takes an equal share of the tokens. Rank 0 says whether the routing is the same to the bit, and prints the errors of
results and gradients beside PyTorch's (the dual benchmark, as `paths.judge` does for one rank). Here the ranks share the
processors of one machine, by gloo; `ExpertParallel` takes a group of any backend.

Exit status: 0 done, 1 routing or an error that is not as it should be, 2 bad input, 3 another rank was lost: it ended, or it
did not answer within --timeout seconds. torchrun ends the others then, and has a status of its own, 1.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import timedelta

import torch
from torch import Tensor, distributed

from uol.conformance.paths.draw import Values, typical_errors
from uol.conformance.paths.judge import DTYPES, shown
from uol.conformance.paths.moe.draw import LEVEL, LayerDraw
from uol.conformance.paths.moe.exchange import RankError
from uol.conformance.paths.moe.expert_parallel import ExpertParallel
from uol.conformance.paths.moe.sizes import SIZES, Sizes
from uol.ir.errors import UolError

LOST = 3
WHOLE = ("balance", "z")
"""What every rank has whole; of all else but the router's gradient it has a share, in the order of the ranks."""


class RanksDraw(LayerDraw):
    """A draw whose own side is over the ranks, which share its tokens; PyTorch's are on one rank."""

    def __init__(self, sizes: Sizes, dtype: str, seed: int) -> None:
        super().__init__(sizes, dtype, seed)
        rank, ranks = distributed.get_rank(), distributed.get_world_size()
        torch.manual_seed(seed)
        module = ExpertParallel(*self.shape).to(self.dtype)
        x, dy = (torch.tensor_split(each, ranks)[rank] for each in (self.x, self.dy))
        x = x.clone().requires_grad_()
        mixed = module(x)
        own = self._values(module, x, mixed, dy)
        self.picks = _whole("expert", mixed.expert)
        self.found = {name: _whole(name, value) for name, value in own.items()}

    def ours(self) -> Values:
        return self.found

    @property
    def is_routed_alike(self) -> bool:
        """Does one rank choose the same experts?"""
        with torch.no_grad():
            return self.picks is not None and torch.equal(self.layer(self.x).expert, self.picks)


def _whole(name: str, share: Tensor) -> Tensor:
    """A value of all ranks from what each has of it."""
    found: list[Tensor | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, share)
    parts = [each for each in found if each is not None]
    if name == "router":
        return torch.stack(parts).sum(0)
    return parts[0] if name in WHOLE else torch.cat(parts)


def compare(size: str, dtype: str, seeds: int) -> bool:
    """Prints what rank 0 finds; is all as it should be? The others are done when they have given their shares."""
    draws = [RanksDraw(SIZES[size], dtype, seed) for seed in range(seeds)]
    if distributed.get_rank():
        return True
    same = all(draw.is_routed_alike for draw in draws)
    print(f"{dtype:5}routing {'the same to the bit' if same else 'DIFFERS'}")
    duals = typical_errors(draws, dtype, LEVEL)
    for name, dual in duals.items():
        print(shown(dtype, name, dual), flush=True)
    return same and all(dual.ok for dual in duals.values())


def _options() -> Namespace:
    parser = ArgumentParser(prog="uol.conformance.paths.moe.ranks", description="Experts over ranks, beside one rank.")
    parser.add_argument("size", choices=SIZES, nargs="?", default="check")
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--seeds", type=int, default=1, help="draws, of which the typical one is judged")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that ranks wait for each other")
    return parser.parse_args()


def main() -> int:
    """Of one rank, as torchrun starts it."""
    options = _options()
    try:
        distributed.init_process_group("gloo", timeout=timedelta(seconds=options.timeout))
        is_fine = compare(options.size, options.dtype, options.seeds)
        distributed.destroy_process_group()
    except UolError as error:
        print(error.report, file=sys.stderr)
        return LOST if isinstance(error, RankError) else 2
    return int(not is_fine)


if __name__ == "__main__":
    sys.exit(main())

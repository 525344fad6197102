"""The layer over ranks beside itself on one, at one of the sizes of `sizes.py`:

    torchrun --nproc-per-node 2 -m uol.conformance.paths.moe.ranks check

Each rank takes an equal share of the tokens. Rank 0 says whether the routing is the same to the bit, and prints the errors of
results and gradients beside PyTorch's (the dual benchmark, as `accuracy.py` does for one rank) and the time of a step. The ranks
share one machine's processors, by gloo: what ranks gain is not seen there. `ExpertParallel` takes a group of any backend.

Exit status: 0 done, 1 routing or an error that is not as it should be, 2 bad input, 3 another rank was lost: it ended, or it
did not answer within --timeout seconds. torchrun ends the others then, and has a status of its own, 1.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import timedelta

import torch
from torch import Tensor, distributed

from uol.conformance.paths.draw import Values, errors
from uol.conformance.paths.moe.draw import LEVEL, LayerDraw
from uol.conformance.paths.moe.exchange import RankError
from uol.conformance.paths.moe.expert_parallel import ExpertParallel
from uol.conformance.paths.moe.sizes import SIZES
from uol.ir.errors import UolError

DTYPES = ("f32", "f16", "bf16")
SEED = 0
LOST = 3
WHOLE = ("balance", "z")
"""What every rank has whole; of all else but the router's gradient it has a share, in the order of the ranks."""


class RanksDraw(LayerDraw):
    """A draw whose own side is over the ranks; PyTorch's are on rank 0 alone."""

    def ours(self) -> Values:
        rank, ranks = distributed.get_rank(), distributed.get_world_size()
        torch.manual_seed(SEED)
        module = ExpertParallel(*self.shape).to(self.dtype)
        shares = [torch.tensor_split(each, ranks)[rank] for each in (self.x, self.dy)]
        x = shares[0].clone().requires_grad_()
        start = time.perf_counter()
        mixed = module(x)
        own = self._values(module, x, mixed, shares[1])
        self.seconds = time.perf_counter() - start
        self.picks = _whole("expert", mixed.expert)
        return {name: _whole(name, value) for name, value in own.items()}


def _whole(name: str, share: Tensor) -> Tensor:
    """A value of all ranks from what each has of it."""
    found: list[Tensor | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, share)
    parts = [each for each in found if each is not None]
    if name == "router":
        return torch.stack(parts).sum(0)
    return parts[0] if name in WHOLE else torch.cat(parts)


def compare(size: str, dtypes: Sequence[str]) -> bool:
    """Prints what rank 0 finds; is all as it should be? The others are done when they have given their shares."""
    draws = [RanksDraw(SIZES[size], dtype, SEED) for dtype in dtypes]
    found = [(draw.ours(), draw.picks, draw.seconds) for draw in draws]
    if distributed.get_rank():
        return True
    is_fine = True
    for dtype, draw, (ours, picks, seconds) in zip(dtypes, draws, found, strict=True):
        with torch.no_grad():
            same = torch.equal(draw.layer(draw.x).expert, picks)
        duals = errors((ours, draw.theirs(), draw.golden()), dtype, LEVEL)
        print(f"{dtype:5}routing {'the same to the bit' if same else 'DIFFERS'}; forward and backward {seconds * 1e3:.0f} ms")
        for name, dual in duals.items():
            print(f"{dtype:5}{name:9}{'' if dual.ok else 'FAILED '}{dual.detail}", flush=True)
        is_fine = is_fine and same and all(dual.ok for dual in duals.values())
    return is_fine


def _options() -> Namespace:
    parser = ArgumentParser(prog="uol.conformance.paths.moe.ranks", description="Experts over ranks, beside one rank.")
    parser.add_argument("size", choices=SIZES, nargs="?", default="narrow")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="f32, f16 and bf16 where it is not given")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that ranks wait for each other")
    return parser.parse_args()


def main() -> int:
    """Of one rank, as torchrun starts it."""
    options = _options()
    try:
        distributed.init_process_group("gloo", timeout=timedelta(seconds=options.timeout))
        is_fine = compare(options.size, options.dtype or DTYPES)
        distributed.destroy_process_group()
    except UolError as error:
        print(error.report, file=sys.stderr)
        return LOST if isinstance(error, RankError) else 2
    return int(not is_fine)


if __name__ == "__main__":
    sys.exit(main())

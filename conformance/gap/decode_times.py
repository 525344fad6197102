"""What the model says of attention for decoding, one query a head and many keys: its time beside that of its bytes.

    python -m uol.conformance.gap.decode_times [--batch 1,8,64] [--keys 8192] [--heads 32:8:128,16:16:64]
                                               [--dtype f16,bf16] [--target TARGETS] [--form plain,lengths,pages]

Heads are those of queries, those of keys, and the elements of each. With `lengths` each sequence has a number of keys of its
own, with `pages` its keys lie in pages, too; times are those where each has all. Times are modelled, from the counts of the
kernels' texts, launches included; the bytes' time is that of queries, keys, values and results, each once, at the bandwidth
that the device streams with. Prints a line for each; exit status 1 where one takes more than 1.3 of its bytes' time, or gives a
core fewer than two blocks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import uol
from uol.codegen.cost import time_of
from uol.compilation.request import resolve_target
from uol.conformance.command import run_command
from uol.conformance.gap.few_row_times import LEAST_BLOCKS, TARGETS, bytes_seconds, numbers

MOST = 1.3
"""Of the bytes' time."""
OPERATORS = {"plain": "attention", "lengths": "padded_attention", "pages": "paged_attention"}
PAGE = 64
"""Keys of a page."""
Heads = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DecodeTime:
    """Of one attention: seconds by the model, of those the launches', and of its bytes alone; `blocks` a core, of its largest
    kernel."""

    target: str
    dtype: str
    form: str
    batch: int
    heads: Heads
    keys: int
    kernels: int
    seconds: float
    launch_seconds: float
    bytes_seconds: float
    blocks: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.bytes_seconds

    @property
    def is_good(self) -> bool:
        return self.ratio <= MOST and self.blocks >= LEAST_BLOCKS

    def __str__(self) -> str:
        launches = f"{self.launch_seconds * 1e6:.1f} of them launches"
        of_bytes = f"{self.bytes_seconds * 1e6:6.1f} us its bytes: {self.ratio:.2f}"
        times = f"{self.seconds * 1e6:6.1f} us modelled, {launches}, {of_bytes}"
        heads = "{} heads on {} of {}".format(*self.heads)
        named = f"{self.target:5} {self.dtype:5} {self.form:7} {self.batch:3} x {heads}, {self.keys} keys"
        return f"{named}  {times}; {self.blocks:.1f} blocks a core, {self.kernels} kernel{'s' * (self.kernels > 1)}"


def decode_time(target: str, dtype: str, batch: int, heads: Heads, keys: int, form: str = "plain") -> DecodeTime:
    """Of one query for each of `batch` and of the first of `heads`. A cache has as many pages as the sequences have."""
    found = resolve_target(target)
    device = found.device
    queries, shared, width = heads
    pages = -(-keys // PAGE)
    of_keys = {"N": batch * pages, "P": PAGE, "C": pages} if form == "pages" else {"M": keys}
    dims = {"B": batch, "H": queries, "G": shared, "L": 1, "D": width, "E": width, **of_keys}
    module = uol.compile(OPERATORS[form], target, dtype, dims).module
    issued = [found.backend.issued(kernel.spec, kernel.schedule, device) for kernel in module.kernels]
    times = [time_of(each, device) for each in issued]
    seconds, launch = sum(time.seconds for time in times), sum(time.parts["launch"] for time in times)
    blocks = max(each.blocks for each in issued) / device.cores
    of_bytes = bytes_seconds(module, device)
    return DecodeTime(target, dtype, form, batch, heads, keys, len(issued), seconds, launch, of_bytes, blocks)


def decode_times(
    targets: Sequence[str],
    dtypes: Sequence[str],
    batches: Sequence[int],
    heads: Sequence[Heads],
    keys: Sequence[int],
    forms: Sequence[str],
) -> Iterator[DecodeTime]:
    """Of all of them."""
    for target, dtype, form, each, batch, number in product(targets, dtypes, forms, heads, batches, keys):
        yield decode_time(target, dtype, batch, each, number, form)


def heads_in(text: str) -> list[Heads]:
    """Heads of queries, of keys, and elements of a head, by colons; several by commas."""
    found = []
    for each in text.split(","):
        queries, shared, width = (int(part) for part in each.split(":"))
        if min(queries, shared, width) < 1 or queries % shared:
            raise ValueError(text)
        found.append((queries, shared, width))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.gap.decode_times", description=__doc__)
    parser.add_argument("--batch", type=numbers, default=[1, 8, 64], help="numbers of sequences, by commas")
    parser.add_argument("--keys", type=numbers, default=[8192], help="numbers of keys, by commas")
    parser.add_argument("--heads", type=heads_in, default=[(32, 8, 128), (16, 16, 64)], help="QUERIES:KEYS:ELEMENTS, by commas")
    parser.add_argument("--dtype", default="f16,bf16", help="types, by commas")
    parser.add_argument("--target", default=",".join(TARGETS), help="devices, by commas")
    parser.add_argument("--form", default=",".join(OPERATORS), help=f"of {', '.join(OPERATORS)}, by commas")
    given = parser.parse_args(arguments)
    targets, dtypes, forms = (text.split(",") for text in (given.target, given.dtype, given.form))
    if not set(forms) <= set(OPERATORS):
        parser.error(f"no form {given.form!r}: there are {', '.join(OPERATORS)}")
    good = True
    for time in decode_times(targets, dtypes, given.batch, given.heads, given.keys, forms):
        print(time if time.is_good else f"{time}  MISSED")
        good &= time.is_good
    return 0 if good else 1


if __name__ == "__main__":
    run_command(main)

"""Random texts whose derived gradients, first and second order, are held against PyTorch's autograd on the texts themselves.

    python -m uol.conformance.gradient_soak [--count 20000] [--seed 0] [--processes 2] [--kernels 20] [--only NUMBER]

Each text is evaluated in float64 by `uol.conformance.autograd`, which knows nothing of how gradients are derived, and its
gradients by the interpreter, one in `--kernels` by the CPU's kernels, too. A wrong one is printed as the smallest text that
still shows it, with its number: `--only` tries one again. What is refused is counted by message and by construct. 20,000
texts took 63 minutes of processor time; on a busy machine twice as long. Exit status 1 where a gradient is wrong, where fewer
than 99.5 % are derived, or where a construct is in fewer than one text of twenty.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter

import torch

from uol.conformance.command import run_command
from uol.conformance.gradients.on_kernels import kernel_trial
from uol.conformance.gradients.trial import Trial, general, smallest, trial
from uol.conformance.random_texts.constructs import CONSTRUCTS, constructs
from uol.ir import parse

DERIVED = 0.995
"""The least share of texts whose gradient and second gradient are derived."""
COMMON = 0.05
"""The least share of texts with each construct."""
CHUNK = 20
PER_PROCESS = 500
"""How many texts a process tries before another takes its place: what compilers and kernels leave behind goes with it."""


def trials(numbers: range, kernels: int = 0) -> list[Trial]:
    """Each of the numbers; a wrong one as the smallest text that shows it. One in `kernels` runs on the CPU's kernels, too."""
    torch.set_num_threads(1)
    return [_one(number, bool(kernels) and number % kernels == 0) for number in numbers]


def _one(number: int, has_kernels: bool) -> Trial:
    found = trial(number)
    if found.outcome.state == "wrong":
        return smallest(found)
    if found.outcome.state == "right" and has_kernels:
        run = kernel_trial(found.text)
        return replace(found, outcome=replace(run, reason=f"by the CPU's kernels: {run.reason}"))
    return found


def in_order(numbers: range, processes: int, kernels: int = 0) -> Iterator[Trial]:
    """The same of all numbers, by several processes."""
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    by_chunk = partial(trials, kernels=kernels)
    if processes == 1:
        yield from (t for chunk in chunks for t in by_chunk(chunk))
        return
    together = PER_PROCESS // CHUNK * processes
    for start in range(0, len(chunks), together):
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            for found in pool.map(by_chunk, chunks[start : start + together]):
                yield from found


def shown(found: Trial) -> str:
    """A trial as it is reported."""
    text, outcome = found.text, found.outcome
    sizes = ", ".join(f"{name}={size}" for name, size in text.dims.items())
    what = "" if outcome.state != "wrong" else f", {('value', 'gradient', 'second gradient')[outcome.order]}"
    return f"{outcome.state}{what}: number {text.number}, {sizes}\n{outcome.reason}\n{text.text}\n"


def held_by(found: Sequence[Trial]) -> Counter[str]:
    """How many texts hold each construct."""
    return Counter(name for t in found for name in constructs(parse(t.text.text)[-1]))


def falls_short(found: Sequence[Trial]) -> bool:
    """Whether something is wrong, too much is refused, or a construct is rare."""
    states, held = Counter(t.outcome.state for t in found), held_by(found)
    is_rare = any(held[name] < COMMON * len(found) for name in CONSTRUCTS)
    return is_rare or states["wrong"] > 0 or states["right"] < DERIVED * len(found)


def summary(found: Sequence[Trial], seconds: float) -> str:
    """What was tried, by outcome; what was refused, by message and by construct; how common constructs are."""
    states, held = Counter(t.outcome.state for t in found), held_by(found)
    refused = [t for t in found if t.outcome.state == "refused"]
    within = held_by(refused)
    used = sum(getrusage(who).ru_utime for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    counted = f"{len(found)} texts in {seconds:.0f} s ({used:.0f} s of processors)"
    lines = [f"{counted}: {states['right']} right, {states['wrong']} wrong, {len(refused)} refused"]
    messages = Counter(general(t.outcome.reason) for t in refused)
    lines += [f"  refused {count:5}: {message}" for message, count in messages.most_common()]
    lines.append(f"{'construct':62} {'texts':>7} {'refused':>7}")
    lines += [f"{name:62} {held[name] / len(found):7.1%} {within[name]:7}" for name in CONSTRUCTS]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.gradient_soak", description=__doc__)
    parser.add_argument("--count", type=int, default=20000, help="how many texts (default 20000)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kernels", type=int, default=20, help="one text in so many runs on the CPU's kernels; 0 for none")
    parser.add_argument("--only", type=int, help="one text, by number, made as small as it still shows what it shows")
    parser.add_argument("--show-refused", action="store_true", help="print texts that are refused, too")
    chosen = parser.parse_args(arguments)
    if chosen.only is not None:
        one = trial(chosen.only)
        print(shown(one if one.outcome.state == "right" else smallest(one)))
        return 0 if one.outcome.state == "right" else 1
    start, found = perf_counter(), []
    for each in in_order(range(chosen.seed, chosen.seed + chosen.count), chosen.processes, chosen.kernels):
        found.append(each)
        if each.outcome.state == "wrong" or (chosen.show_refused and each.outcome.state == "refused"):
            print(shown(each), flush=True)
        if len(found) % 1000 == 0:
            print(f"{len(found)} of {chosen.count} after {perf_counter() - start:.0f} s", flush=True)
    print(summary(found, perf_counter() - start))
    return 1 if falls_short(found) else 0


if __name__ == "__main__":
    run_command(main)

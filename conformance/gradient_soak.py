"""Random texts whose derived gradients, first and second order, are held against PyTorch's autograd on the texts themselves.

    python -m uol.conformance.gradient_soak [--count 20000] [--seed 0] [--processes 2] [--only NUMBER]

Each text is evaluated in float64 by `uol.conformance.autograd`, which knows nothing of how gradients are derived, and its
gradients by the interpreter. A wrong one is printed as the smallest text that still shows it, with its number: `--only` tries
one again. What is refused is counted by message and by construct. Exit status 1 where a gradient is wrong, or where fewer
than 99.5 % are derived.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

import torch

from uol.conformance.gradient_trial import Trial, general, smallest, trial
from uol.conformance.random_texts.constructs import CONSTRUCTS, constructs
from uol.ir import parse

DERIVED = 0.995
"""The least share of texts whose gradient and second gradient are derived."""
CHUNK = 20


def trials(numbers: range) -> list[Trial]:
    """Each of the numbers; a wrong one as the smallest text that shows it."""
    torch.set_num_threads(1)
    found = (trial(number) for number in numbers)
    return [smallest(t) if t.outcome.state == "wrong" else t for t in found]


def in_order(numbers: range, processes: int) -> Iterator[Trial]:
    """The same of all numbers, by several processes."""
    chunks = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    if processes == 1:
        yield from (t for chunk in chunks for t in trials(chunk))
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for found in pool.map(trials, chunks):
            yield from found


def shown(found: Trial) -> str:
    """A trial as it is reported."""
    text, outcome = found.text, found.outcome
    sizes = ", ".join(f"{name}={size}" for name, size in text.dims.items())
    what = "" if outcome.state != "wrong" else f", {('value', 'gradient', 'second gradient')[outcome.order]}"
    return f"{outcome.state}{what}: number {text.number}, {sizes}\n{outcome.reason}\n{text.text}\n"


def summary(found: Sequence[Trial], seconds: float) -> str:
    """What was tried, by outcome; what was refused, by message and by construct; how common constructs are."""
    states = Counter(t.outcome.state for t in found)
    held = Counter(name for t in found for name in constructs(parse(t.text.text)[-1]))
    refused = [t for t in found if t.outcome.state == "refused"]
    within = Counter(name for t in refused for name in constructs(parse(t.text.text)[-1]))
    lines = [f"{len(found)} texts in {seconds:.0f} s: {states['right']} right, {states['wrong']} wrong, {len(refused)} refused"]
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
    parser.add_argument("--only", type=int, help="one text, by number, made as small as it still shows what it shows")
    parser.add_argument("--show-refused", action="store_true", help="print texts that are refused, too")
    chosen = parser.parse_args(arguments)
    if chosen.only is not None:
        print(shown(smallest(trial(chosen.only))))
        return 0
    start, found = perf_counter(), []
    for each in in_order(range(chosen.seed, chosen.seed + chosen.count), chosen.processes):
        found.append(each)
        if each.outcome.state == "wrong" or (chosen.show_refused and each.outcome.state == "refused"):
            print(shown(each), flush=True)
        if len(found) % 1000 == 0:
            print(f"{len(found)} of {chosen.count} after {perf_counter() - start:.0f} s", flush=True)
    print(summary(found, perf_counter() - start))
    states = Counter(t.outcome.state for t in found)
    return 1 if states["wrong"] or states["right"] < DERIVED * len(found) else 0


if __name__ == "__main__":
    sys.exit(main())

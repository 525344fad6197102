"""Random texts of every kind of construct, compiled and run on every target, forward and gradient.

    python -m uol.conformance.random_kernels [--count 2000] [--seed 0] [-j 2] [--in-turn] [--minutes 30]
        [--targets cpu,...] [--kinds search]
    python -m uol.conformance.random_kernels --only NUMBER [--targets cpu]

Targets whose kernels have a twin run there, emulated and with all its checks, others on this machine; each for the text's sizes
and, where it has such kernels, for any size (`--in-turn`: one of the two, by the number of the text). A result is held to
the golden value, and beside it to the unscheduled kernel specs and to PyTorch's autograd of the text. What fails is printed
with its text and the command that tries it again: `--only` makes it as small as it still fails. Exit status 1 where a value is
wrong, or an error is raised that is no refusal.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import count, islice
from math import inf
from time import perf_counter

from uol.conformance.random_kernels.judging import Run
from uol.conformance.random_kernels.minimising import smallest
from uol.conformance.random_kernels.processes import run_numbers
from uol.conformance.random_kernels.shown import FAILED, failures_shown, summary, text_shown
from uol.conformance.random_kernels.trials import Where, targets
from uol.conformance.random_texts.kernel_texts import KINDS, KernelText, kind_of
from uol.ir.errors import UolError

EVERY = 100
"""Texts between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    chosen = _arguments(arguments)
    where = Where.on(_names(chosen.targets, targets(), "target"), chosen.in_turn)
    if chosen.only is not None:
        return _one(chosen.only, where)
    kinds = _names(chosen.kinds, KINDS, "kind")
    for name in ("count", "jobs", "minutes"):
        if getattr(chosen, name) <= 0:
            raise UolError(f"--{name} is {getattr(chosen, name)}: nothing would run", hint="give a number above 0")
    numbers = list(islice((n for n in count(chosen.seed) if kind_of(n) in kinds), chosen.count))
    start, texts, runs = perf_counter(), list[KernelText](), list[Run]()
    for found in run_numbers(numbers, where, chosen.jobs, start + 60 * chosen.minutes):
        for text, own in found:
            texts.append(text)
            runs += own
            if any(r.state in FAILED for r in own):
                print(failures_shown(text, own), flush=True)
            if len(texts) % EVERY == 0:
                print(f"{len(texts)} of {len(numbers)} texts after {perf_counter() - start:.0f} s", flush=True)
    print(summary(texts, runs, perf_counter() - start))
    return 1 if any(r.state in FAILED for r in runs) or not runs else 0


def _one(number: int, where: Where) -> int:
    """One text: its runs; where it fails, the smallest that fails so on the first setting where it does."""
    ((text, runs),) = next(run_numbers([number], where, 1))
    failed = next((r for r in runs if r.state in FAILED), None)
    print(text_shown(text))
    for run in runs:
        print(f"{run.setting:16} {'gradient' if run.order else 'operator':9} {run.state} {run.reason}")
    if failed is None:
        return 0
    at = next((s for s in where.settings if str(s) == failed.setting), where.settings[0])
    print(f"\nthe smallest that fails so on {at}:\n{text_shown(smallest(text, failed, at))}")
    return 1


def _names(given: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    names = tuple(given.split(","))
    for name in names:
        if name not in known:
            raise UolError(f"no {what} {name!r}", hint=f"some of {','.join(known)}")
    return names


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m uol.conformance.random_kernels", description=__doc__, formatter_class=raw)
    parser.add_argument("--count", type=int, default=2000, help="how many texts (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first one")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--minutes", type=float, default=inf, help="after which no more texts are begun")
    parser.add_argument("--targets", default=",".join(targets()), help="some of %(default)s")
    parser.add_argument("--kinds", default=",".join(KINDS), help="some of %(default)s")
    parser.add_argument("--in-turn", action="store_true", help="one of a target's two kinds of kernels a text")
    parser.add_argument("--only", type=int, help="one text, by number; where it fails, as small as it still fails")
    return parser.parse_args(arguments)

"""A suite in several processes, one after another, of which the middle one counts, pass by pass: `uol bench --processes`.

In one process a row meets one layout of memory, and one state of a machine that others share. A second process meets others.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from uol.conformance.bench.measurement import Key, Outcome, Timing
from uol.conformance.bench.record import read_record
from uol.ir.errors import UolError


def middle(runs: Sequence[Mapping[Key, Outcome]]) -> dict[Key, Outcome]:
    """Of each pass the run that has the median of its ratios (of an even number the lower one of the two); a reason why there
    are no times, where any run has one.

    >>> key = Key("maps", "relu", "forward")
    >>> runs = [{key: Timing(1.0, ratio, ratio, ratio, ratio)} for ratio in (3.0, 1.0, 2.0)]
    >>> middle(runs)[key].ratio, middle([*runs, {key: "no memory"}])[key]
    (2.0, 'no memory')
    """
    return {key: _middle([run[key] for run in runs]) for key in runs[0]}


def _middle(found: Sequence[Outcome]) -> Outcome:
    timings = [each for each in found if isinstance(each, Timing)]
    if len(timings) < len(found):
        return next(each for each in found if isinstance(each, str))
    return sorted(timings, key=lambda timing: timing.ratio)[(len(timings) - 1) // 2]


def outcomes_of_process(arguments: Sequence[str]) -> Mapping[Key, Outcome]:
    """What `uol bench` with these arguments measures in a process of its own, whose progress and errors are shown. Raises
    UolError where that ends before it has measured."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record.json"
        command = [sys.executable, "-P", "-m", "uol.cli", "bench", *arguments, "--json", str(file)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if not file.is_file():
            raise UolError(f"a process of the bench ended with status {done.returncode} before it had measured all rows")
        return read_record(file).outcomes

"""Forks in the first step of a training, run after run on a cold cache: does none hang, is no value wrong?

    python -m uol.conformance.fork_safety [--runs 20] [-j 1] [--start fork] [--limit 300]

Each run (`first_step.py`) starts a DataLoader's workers a little later than the last one, from before the first import of a
compiler to after the last kernel was built. Exit status 1 where one hangs or a value is wrong.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from uol.conformance.command import run_command
from uol.ir.errors import UolError

LATEST_S = 6.0
"""When the workers of the last run start, after the thread that compiles."""
STARTS = ("fork", "spawn", "forkserver")


def outcome(delay_s: float, start: str, limit_s: float) -> str:
    """What came of one run: "right", "wrong" with what it said, or "hung"."""
    with tempfile.TemporaryDirectory(prefix="uol-fork-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-P", "-m", "uol.conformance.fork_safety.first_step", str(delay_s), start]
        process = subprocess.Popen(
            command,
            env={**os.environ, "UOL_CACHE_DIR": os.path.join(folder, "cache")},
            stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(folder, "said"), "w+b"),  # noqa: SIM115 - a pipe would stay open in workers that hang
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return "hung"
        finally:
            end_group(process.pid)
            process.wait()
        if status == 0:
            return "right"
        with open(os.path.join(folder, "said"), encoding="utf-8", errors="replace") as said:
            return f"wrong (exit status {status}): {said.read().strip()[-2000:]}"


def end_group(leader: int) -> None:
    """Ends a run with the workers that it started: they are of one process group, which the run leads."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.fork_safety", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how many (default 20)")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="how many at a time (default 1)")
    parser.add_argument("--start", choices=STARTS, default="fork", help="how workers start (default fork)")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a run counts as hung (default 300)")
    chosen = parser.parse_args(arguments)
    for option, value in (("--runs", chosen.runs), ("--jobs", chosen.jobs)):
        if value < 1:
            raise UolError(f"{option} is {value}", hint="it is 1 or more")

    def run(number: int) -> str:
        delay_s, before = LATEST_S * number / max(chosen.runs - 1, 1), time.perf_counter()
        came = outcome(delay_s, chosen.start, chosen.limit)
        seconds = time.perf_counter() - before
        print(f"run {number + 1}: workers started after {delay_s:.1f} s: {came}; {seconds:.0f} s", flush=True)
        return came

    with ThreadPoolExecutor(chosen.jobs) as pool:
        found = list(pool.map(run, range(chosen.runs)))
    hung, wrong = found.count("hung"), sum(each.startswith("wrong") for each in found)
    print(f"{chosen.runs} runs by {chosen.start}: {hung} hung, {wrong} wrong", flush=True)
    return 0 if hung + wrong == 0 else 1


if __name__ == "__main__":
    run_command(main)

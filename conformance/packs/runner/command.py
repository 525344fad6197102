"""`python run.py`: the cases of the pack on this machine's card.

Exit status: 0 every case is within its contract, 1 a case failed, 2 bad input: no card, another card, a file that is missing or
was changed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from uol.conformance.packs.runner.contents import BadInputError, Pack, read_pack
from uol.conformance.packs.runner.report import lines_of, record_of, write_record
from uol.conformance.packs.runner.supervisor import run_all
from uol.conformance.packs.runner.worker import OpenCard, channel, work

BAD_INPUT = 2
INTERRUPTED = 130
EVERY_S = 5.0
"""Seconds between two lines of progress."""


def main(open_card: OpenCard, program: Path, arguments: Sequence[str]) -> int:
    """The command. `program` is run.py in the pack's folder; gives the exit status."""
    options = _options(arguments)
    try:
        if options.worker:
            say = channel()
            work(Pack(program.parent, _fields(program.parent)), json.load(sys.stdin), open_card, say)
            return 0
        return _run(read_pack(program.parent), program, options)
    except BadInputError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Run the cases of this pack on the card, judge and time them.")
    parser.add_argument("-o", "--output", type=Path, default=Path("record.json"), help="the record: record.json, if not given")
    parser.add_argument("--op", default="", help="operators, by commas; all where nothing is said")
    parser.add_argument("--device", type=int, default=0, help="the number of the card")
    parser.add_argument("--no-times", action="store_true", help="judge only")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that a case may take")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _fields(folder: Path) -> dict[str, object]:
    """What the process that started this one has held against its hashes."""
    found: dict[str, object] = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    return found


def _run(pack: Pack, program: Path, options: argparse.Namespace) -> int:
    started = time.perf_counter()
    chosen = _chosen(pack, options.op)
    folder = options.output.resolve().parent
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder} for the record: make it, or give another place with -o")
    order = {"device": options.device, "cases": chosen, "timed": not options.no_times}
    command = [sys.executable, str(program), "--worker"]
    found = run_all(command, order, options.timeout, _Progress(len(chosen)))
    record = record_of(pack, found, time.perf_counter() - started)
    write_record(record, options.output)
    print("\n".join(lines_of(record)))
    print(f"record: {options.output}")
    return 1 if found.failed else 0


def _chosen(pack: Pack, ops: str) -> list[int]:
    names = {name.strip() for name in ops.split(",") if name.strip()}
    there = {case["op"] for case in pack.cases}
    if unknown := sorted(names - there):
        raise BadInputError(f"the pack has no operator {unknown[0]}: it has {', '.join(sorted(there))}")
    return [number for number, case in enumerate(pack.cases) if not names or case["op"] in names]


class _Progress:
    """A line on standard error now and then."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.said = time.monotonic()

    def __call__(self, done: int, failed: int) -> None:
        if done == self.total or time.monotonic() - self.said >= EVERY_S:
            self.said = time.monotonic()
            print(f"running: {done} of {self.total}, {failed} failed", file=sys.stderr, flush=True)

"""`uol record`: what a pack's runner found on a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uol.cli.options import JsonOption
from uol.cli.output import print_json, print_table, print_text
from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.conformance.packs.compare import Change, Comparison
    from uol.conformance.packs.record import CardRecord, Measured, Timed

RECORD_HELP = "A file that `python run.py` of a pack wrote."
RatioOption = Annotated[float, typer.Option("--ratio", help="How many times as long a case may take in the second record.")]

COLUMNS = (
    *("case", "verdict", "error/bound", "us", "quartiles", "predicted us", "us/predicted"),
    *("PyTorch us", "PyTorch/uol", "quartiles", "roofline us", "of roofline"),
)

records = typer.Typer(name="record", help="Records of packs: what was measured on a card.", no_args_is_help=True)


@records.command("show")
def show(record: Annotated[Path, typer.Argument(metavar="RECORD", help=RECORD_HELP)], as_json: JsonOption = False) -> None:
    """Show a record: each case with its verdict, its time beside the one that the model predicted and beside PyTorch's, and its
    share of the roofline. Exit 1 where a case failed on the card."""
    from uol.conformance.packs.record import read_card_record

    found = read_card_record(record)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if found.failures:
        raise typer.Exit(1)


@records.command("compare")
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help=RECORD_HELP)],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help=RECORD_HELP)],
    ratio: RatioOption = 1.1,
    as_json: JsonOption = False,
) -> None:
    """Compare two records, case by case. Exit 1 where the second is worse: a case fails there, or takes more than --ratio times
    as long."""
    from uol.conformance.packs.compare import compared
    from uol.conformance.packs.record import read_card_record

    if not ratio > 0:
        raise UolError(f"--ratio {ratio:g} is no ratio of times", hint="for example --ratio 1.1")
    records_ = read_card_record(before), read_card_record(after)
    found = compared(*records_)
    if as_json:
        print_json(_compared_json(*records_, found, ratio))
    else:
        _print_compared(*records_, found, ratio)
    if found.worse(ratio):
        raise typer.Exit(1)


def _print(found: CardRecord) -> None:
    print_text(f"{found.label}, {found.when}")
    for name, value in found.facts.items():
        print_text(f"{name}: {value}")
    print_text("")
    print_table(COLUMNS, map(_row, found.cases))
    print_text("")
    for case in found.failures:
        print_text(f"FAILED  {case.name}: {case.reason}")
    print_text(f"{'passed' if not found.failures else 'FAILED'}: {found.label}: {found.summary}")


def _row(case: Measured) -> tuple[str, ...]:
    return (
        case.name,
        "passed" if case.passed else "FAILED",
        _number(case.share, ".3g"),
        _median(case.time),
        case.time.spread if case.time else "",
        f"{case.predicted_us:.2f}",
        _number(case.of_predicted, ".2f"),
        _median(case.pytorch) + (f" ({case.pytorch_form})" if case.pytorch_form else ""),
        _median(case.ratio),
        case.ratio.spread if case.ratio else "",
        _number(case.roofline_us, ".2f"),
        _number(case.of_roofline, ".1%"),
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _median(time: Timed | None) -> str:
    return "" if time is None else f"{time.median:.2f}"


def _print_compared(before: CardRecord, after: CardRecord, found: Comparison, ratio: float) -> None:
    print_text(f"before: {before.label}, {before.when}")
    print_text(f"after:  {after.label}, {after.when}")
    if before.card != after.card:
        print_text("The cards differ: the ratios say how the cards do, too.")
    print_text("")
    print_table(("case", "before us", "after us", "after/before", ""), (_change_row(c, ratio) for c in found.changes))
    print_text("")
    for what, names in (("only before", found.gone), ("only after", found.come)):
        if names:
            print_text(f"{what}: {len(names)}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}")
    worse = found.worse(ratio)
    verdict = f"{len(worse)} of {len(found.changes)} cases are worse: they fail, or take more than {ratio:g} times as long"
    print_text(f"{'FAILED' if worse else 'passed'}: {verdict}")


def _change_row(change: Change, ratio: float) -> tuple[str, ...]:
    still = "" if change.after.passed else "failed before, too"
    said = "FAILS" if change.fails else "slower" if change.is_worse(ratio) else still
    times = (_median(change.before.time), _median(change.after.time))
    return (change.before.name, *times, _number(change.ratio, ".3f"), said)


def _compared_json(before: CardRecord, after: CardRecord, found: Comparison, ratio: float) -> dict[str, object]:
    rows = [
        {"name": c.before.name, "ratio": c.ratio, "fails": c.fails, "worse": c.is_worse(ratio)} for c in found.changes
    ]
    return {
        "before": before.label,
        "after": after.label,
        "ratio": ratio,
        "ok": not found.worse(ratio),
        "cases": rows,
        "only_before": list(found.gone),
        "only_after": list(found.come),
    }

"""The process that has the card: it runs cases one after the other, and says a line of JSON before and after each.

A call of the driver that fails may leave the card's context unusable, as an address out of range does: the process ends there,
and another one goes on with the next case.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import metadata
from platform import python_version

from uol.backends.loading.card import Card, CardError, NoCardError
from uol.conformance.packs.runner.case_run import Ran, run_case
from uol.conformance.packs.runner.contents import BadInputError, Json, Pack
from uol.conformance.packs.runner.timing import Stopwatch
from uol.conformance.packs.runner.torch_times import EventClock
from uol.conformance.packs.runner.turns import Timer

OpenCard = Callable[[int], Card]
Say = Callable[[Mapping[str, object]], None]


def channel() -> Say:
    """What says lines on this process's standard output, to which nothing else is written from here on."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(what: Mapping[str, object]) -> None:
        lines.write(json.dumps(what) + "\n")
        lines.flush()

    return say


def work(pack: Pack, order: Json, open_card: OpenCard, say: Say) -> None:
    """Runs the cases of an order: `{"device": 0, "cases": [0, 1], "timed": true}`."""
    try:
        card = open_card(order["device"])
        _require_fit(card, pack)
    except (NoCardError, CardError, BadInputError) as error:
        say({"refused": str(error)})
        return
    timer = _timer(card) if order["timed"] else None  # which may take long: PyTorch comes from a disk
    say({"card": {**card.facts, **card.clocks()}, "software": software()})
    for number in order["cases"]:
        say({"begin": number})
        try:
            ran = run_case(card, pack, pack.cases[number], timer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this case's, and the others are still worth a run
            text = str(error) if isinstance(error, CardError | BadInputError) else f"{type(error).__name__}: {error}"
            say({"done": number, "status": "failed", "reason": text})
            return
        say({"done": number, **_entry(ran)})
        if not _is_usable(card):
            return
    say({"clocks": card.clocks()})


def _is_usable(card: Card) -> bool:
    """What PyTorch's call has broken, as an assertion on the card does, is not to be the next case's failure."""
    try:
        card.synchronise()
    except CardError:
        return False
    return True


def _require_fit(card: Card, pack: Pack) -> None:
    built = pack.fields["architecture"]
    if not card.kind_for(built):
        found = f"the card is {card.facts['name']} ({card.facts['architecture']}), the pack is for {built}"
        raise BadInputError(f"{found}: run it on a card of that kind, or make a pack for this one with `uol pack --target`")


def _timer(card: Card) -> Timer:
    stopwatch = Stopwatch.of(card)
    try:
        return Timer(stopwatch, EventClock.of(card.torch_device), "", card.torch_device)
    except Exception as error:  # noqa: BLE001 - no PyTorch, or one without this device
        why_not = f"PyTorch has no such device: {str(error).strip().splitlines()[0]}"
        return Timer(stopwatch, None, why_not, card.torch_device)


def _entry(ran: Ran) -> dict[str, object]:
    timed = ran.timed
    found = (None, None, None) if timed is None else (timed.own, timed.other, timed.ratio)
    times = dict(zip(("time_us", "pytorch_us", "pytorch_ratio"), found, strict=True))
    untimed = "nothing was timed" if ran.seen.ok else "the case failed"
    return {
        "status": "passed" if ran.seen.ok else "failed",
        **{name: value for name, value in asdict(ran.seen).items() if name != "ok"},
        "binary": ran.binary,
        "repeatable": ran.repeatable,
        **{name: None if time is None else time.record() for name, time in times.items()},
        "pytorch_form": "" if timed is None else timed.form,
        "pytorch_reason": untimed if timed is None else timed.reason,
    }


def software() -> dict[str, str]:
    """Versions of what runs the cases; "absent" where there is none."""
    found = {"Python": python_version()}
    for name in ("numpy", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found

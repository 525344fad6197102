"""Journals of shards as one run: nothing is run, and every case must be in one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from uol.backends.cache.records import RecordError
from uol.conformance.cases.verdict import group_name
from uol.conformance.cases.workers import FOUND, Evidence, Found, Group, in_order, sources_of
from uol.conformance.runs.journal import Entry, entries_of
from uol.ir.errors import UolError
from uol.operators.sources import OperatorSources

Entries = Mapping[tuple[str, str], Entry]
HINT = "run them with --shard and --resume first; one of this commit's sources and tools is wanted, of any machine"


def merged(groups: Sequence[Group], journals: Sequence[Path], sources: OperatorSources) -> Evidence:
    """What the journals have of the groups, the later file before the earlier one, whatever machine found it. Raises UolError
    where one has none of a group, or has it by other sources than these; ResourceError where one cannot be read."""
    known: dict[tuple[str, str], Entry] = {}
    for path in journals:
        known |= entries_of(path)
    today = sources_of(sources)
    found = {n: parts for n, group in enumerate(groups) if (parts := list(_parts(group, known, today)))}
    missing = [group_name(groups[n]) for n in range(len(groups)) if n not in found]
    if missing:
        raise UolError(f"{len(missing):,} of {len(groups):,} groups of cases are in no journal: {missing[0]}", hint=HINT)
    said = f"taken from {', '.join(map(str, journals))}; nothing was run"
    evidence = in_order(groups, found)
    return Evidence(evidence.verdicts, evidence.agreements, said)


def _parts(group: Group, known: Entries, sources: str) -> Iterator[Found]:
    """What is known of a group: as one, or, where a process died of one of its cases, case by case."""
    whole = _found(group, known, sources)
    if whole is not None:
        yield whole
        return
    alone = [_found((case,), known, sources) for case in group]
    if all(each is not None for each in alone):
        yield from (each for each in alone if each is not None)


def _found(group: Group, known: Entries, sources: str) -> Found | None:
    entry = known.get(("conform", group_name(group)))
    if entry is None or entry.sources != sources:
        return None
    try:
        return FOUND.decode(entry.result.encode())
    except RecordError:
        return None

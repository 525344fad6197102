"""The schedules that a kernel could have: what each takes of the machine, and why it was not taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from uol.codegen.backend import Count, Footprint, Kernel, Refusal
from uol.codegen.choice import Candidate, candidates
from uol.codegen.schedule import schedule_text
from uol.codegen.specs.expression_text import size_json
from uol.compilation.request import Target
from uol.compilation.tuning import known_times


def candidate_lines(kernel: Kernel, target: Target) -> list[str]:
    """A line a schedule, in the backend's order of preference; a mark on the one that is taken."""
    lines = [f"  schedules that kernel={kernel.spec.name} could have, best first:"]
    measured = known_times(kernel.spec, target.backend, target.device)
    for candidate in _with_taken(kernel, target):
        mark, text = "*" if candidate.schedule == kernel.schedule else " ", schedule_text(candidate.schedule)
        took = f"; measured {measured[text]:,.1f} us" if text in measured else ""
        lines.append(f"  {mark} {text}: {_verdict(candidate, kernel)}{took}")
    return lines


def candidates_json(kernel: Kernel, target: Target) -> list[dict[str, object]]:
    """The same for programs."""
    measured = known_times(kernel.spec, target.backend, target.device)
    return [
        {
            "schedule": schedule_text(c.schedule),
            "taken": c.schedule == kernel.schedule,
            "fits": c.fits,
            "verdict": _verdict(c, kernel),
            "measured_us": measured.get(schedule_text(c.schedule)),
            **({"buffers_bytes": dict(c.outcome.buffers)} if isinstance(c.outcome, Footprint) else {}),
        }
        for c in _with_taken(kernel, target)
    ]


def buffers_text(footprint: Footprint) -> str:
    """The on-chip memories of a launch with their bytes."""
    return ", ".join(f"{name} {size:,} bytes" for name, size in footprint.buffers.items()) or "no on-chip buffers"


def grid_text(grid: Iterable[Count]) -> str:
    """`"64 x 1 x 1"`."""
    return " x ".join(str(size_json(each)) for each in grid)


def _with_taken(kernel: Kernel, target: Target) -> Iterator[Candidate]:
    """The backend's candidates; one that was given and is none of these comes first."""
    found = list(candidates(kernel.spec, target.backend, target.device))
    if all(c.schedule != kernel.schedule for c in found):
        yield Candidate(kernel.schedule, kernel.footprint)
    yield from found


def _verdict(candidate: Candidate, kernel: Kernel) -> str:
    outcome = candidate.outcome
    if isinstance(outcome, Refusal):
        return f"does not fit: {outcome.reason}"
    taken = candidate.schedule == kernel.schedule
    grid = grid_text(outcome.grid)
    return f"{'taken' if taken else 'fits, not preferred'}; grid {grid}, {outcome.threads} threads, {buffers_text(outcome)}"

"""The attentions of a program that a machine takes, and the order of the rest around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uol.codegen.attention.pattern import Pattern, attention_around
from uol.ir.program.nodes import Load, Program, Stage
from uol.ir.program.walk import stage_expressions, walk

Step = Stage | Pattern


def with_attentions(program: Program, accepts: Callable[[Pattern], bool]) -> tuple[Step, ...]:
    """The statements of a program, and in place of those that are parts of an attention the attention."""
    return in_order(program, find_attentions(program, accepts)) or program.stages


def find_attentions(program: Program, accepts: Callable[[Pattern], bool]) -> tuple[Pattern, ...]:
    """Every attention whose scores are read by attentions alone, that the machine accepts, and that waits for nothing that it
    makes itself."""
    found: list[Pattern] = []
    for stage in program.stages:
        if not any(stage.name in p.inside for p in found):
            pattern = attention_around(program, stage)
            found += [pattern] if pattern is not None and accepts(pattern) else []
    found = _with_scores_of_their_own(program, found)
    while in_order(program, found) is None:
        found = _with_scores_of_their_own(program, found[:-1])
    return tuple(found)


def _with_scores_of_their_own(program: Program, found: list[Pattern]) -> list[Pattern]:
    """Without those whose scores something else reads, until none is left."""
    kept = [p for p in found if _keeps_scores(program, p, found)]
    return kept if len(kept) == len(found) else _with_scores_of_their_own(program, kept)


def _keeps_scores(program: Program, pattern: Pattern, found: Sequence[Pattern]) -> bool:
    """Does nothing outside of attentions read the scores?"""
    inside = frozenset().union(*(p.inside for p in found))
    if any(program.tensors[name].role == "out" for name in pattern.scores) or any(p.outside & pattern.scores for p in found):
        return False
    return all(s.name in inside for s in program.stages if _reads(s) & pattern.scores)


def in_order(program: Program, patterns: Sequence[Pattern]) -> tuple[Step, ...] | None:
    """The stages that are no part of an attention, and the attentions as one step each, every step after what it reads and
    as early as in the program otherwise. None where one waits for itself."""
    pending: list[Step] = []
    makers = {stage.name: p for p in patterns for stage in p.made}
    scores = frozenset().union(*(p.scores for p in patterns))
    for stage in program.stages:
        step = makers.get(stage.name, stage)
        if isinstance(step, Pattern):
            pending = [s for s in pending if s is not step]
        if stage.name not in scores:
            pending.append(step)
    missing = {name for step in pending for name in _makes(step)}
    steps: list[Step] = []
    while pending:
        ready = next((s for s in pending if not _needs(s) & missing), None)
        if ready is None:
            return None
        pending = [s for s in pending if s is not ready]
        steps.append(ready)
        missing -= _makes(ready)
    return tuple(steps)


def _makes(step: Step) -> frozenset[str]:
    return frozenset(s.name for s in step.made) if isinstance(step, Pattern) else frozenset((step.name,))


def _needs(step: Step) -> frozenset[str]:
    return step.outside if isinstance(step, Pattern) else _reads(step)


def _reads(stage: Stage) -> frozenset[str]:
    return frozenset(n.tensor for e in stage_expressions(stage) for n in walk(e) if isinstance(n, Load))

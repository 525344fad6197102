"""What a command prints of runs of random texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from uol.conformance.gradients.trial import general
from uol.conformance.random_kernels.judging import Run, State
from uol.conformance.random_texts.kernel_texts import KINDS, KernelText

FAILED: frozenset[State] = frozenset(("wrong", "raised"))
ORDERS = ("operator", "gradient")


def text_shown(text: KernelText) -> str:
    """The text with what it runs at."""
    sizes = ", ".join(f"{name}={size}" for name, size in text.dims.items())
    return f"number {text.number}, {text.dtype}, {sizes}, {text.inputs} inputs\n{text.text}"


def failures_shown(text: KernelText, runs: Iterable[Run]) -> str:
    """A text that failed: where, with the command that tries it again."""
    failed = [r for r in runs if r.state in FAILED]
    lines = [text_shown(text)]
    for run in failed:
        reason = run.reason.strip().splitlines()[-1] if run.state == "raised" else run.reason
        lines.append(f"  {run.state}: {ORDERS[run.order]} on {run.setting}: {reason}")
    targets = ",".join(dict.fromkeys(r.setting.split()[0] for r in failed if " " in r.setting))
    again = f"python -m uol.conformance.random_kernels --only {text.number}" + (f" --targets {targets}" if targets else "")
    return "\n".join((*lines, f"  again: {again}\n"))


def summary(texts: Sequence[KernelText], runs: Sequence[Run], seconds: float) -> str:
    """Texts by kind, runs by setting and state, refusals by message."""
    kinds = Counter(t.kind for t in texts)
    states = Counter((r.setting, r.order, r.state) for r in runs)
    lines = [f"{len(texts)} texts, {len(runs)} runs in {seconds:.0f} s: {_counted(Counter(r.state for r in runs))}"]
    lines.append("texts: " + ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS if kinds[kind]))
    inputs = Counter(t.inputs for t in texts)
    lines.append("inputs: " + ", ".join(f"{kind} {number}" for kind, number in sorted(inputs.items())))
    for setting in dict.fromkeys(r.setting for r in runs):
        for order, what in enumerate(ORDERS):
            own = Counter({state: states[setting, order, state] for state in get_args(State)})
            if own.total():
                lines.append(f"{setting:16} {what:9} {own.total():6} runs: {_counted(own)}")
    refused = Counter((r.setting.split()[0], general(_without_name(r))) for r in runs if r.state == "refused")
    lines += [f"  refused {count:5}: {target}: {message}" for (target, message), count in refused.most_common()]
    return "\n".join(lines)


def _counted(states: Counter[State]) -> str:
    return ", ".join(f"{states[state]} {state}" for state in get_args(State) if states[state]) or "none"


def _without_name(run: Run) -> str:
    return " ".join(word for word in run.reason.split() if not word.startswith("random_"))

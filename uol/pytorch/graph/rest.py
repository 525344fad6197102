"""What has no operator, for Inductor: `torch.compile(model, backend="uol", options={"rest": "inductor"})`.

Neighbours that would stay PyTorch's, with the views between them, become one step, which Inductor compiles when it is first
called. What draws numbers draws them as PyTorch does. Where Inductor fails PyTorch runs the nodes, and the report says why.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import fx

from uol.pytorch.graph.plan import Step
from uol.pytorch.graph.views import FLATTENING

RESTS = ("pytorch", "inductor")


def gathered(steps: Sequence[Step]) -> list[Step]:
    """The steps in their order, with those that are Inductor's in the place of each run of PyTorch's."""
    found: list[Step] = []
    run: list[Step] = []
    for step in steps:
        made = {o for each in run for o in each.outputs}
        if _is_inductors(step) or (step.kind == "view" and made.intersection(step.inputs)):
            run.append(step)
            continue
        found += _closed(run, steps)
        run = []
        found.append(step)
    found += _closed(run, steps)
    parts = {n for step in found if step.kind == "inductor" for n in step.outputs}
    return [step for step in found if step.kind != "view" or not parts.issuperset(step.outputs)]


def _is_inductors(step: Step) -> bool:
    """Operators that do nothing but give results; those with effects (checks that raise) are higher-order operators."""
    return step.kind == "pytorch" and all(isinstance(n.target, torch._ops.OpOverload) and not n.is_impure() for n in step.nodes)


def _closed(run: Sequence[Step], steps: Sequence[Step]) -> list[Step]:
    """A run as one step: parts of its results, wherever they stand, belong to it."""
    if not run:
        return []
    own = {n for step in run for n in step.outputs}
    own |= {n for step in steps for n in step.outputs if n.target is operator.getitem and own.intersection(step.inputs)}
    inputs = dict.fromkeys(i for n in own for i in n.all_input_nodes if i not in own)
    outputs = [n for n in own if any(user not in own for user in n.users)]
    order = {n: k for k, n in enumerate(run[0].nodes[0].graph.nodes)}
    computing = [step for step in run if step.kind == "pytorch"]
    nodes = [n for step in computing for n in step.nodes]
    reason = computing[0].reason if len({step.reason for step in computing}) == 1 else "no text"
    ends, begins = sorted(outputs, key=order.__getitem__), sorted(inputs, key=order.__getitem__)
    return [Step("inductor", f"{len(nodes)} by Inductor", nodes, begins, ends, reason=reason)]


def compiled_by_inductor(step: Step, inputs: Sequence[torch.Tensor]) -> Callable[..., Sequence[torch.Tensor]]:
    """A function of a step's inputs, for such as lie so. Raises whatever Inductor raises."""

    def compiled() -> Any:
        from torch._inductor.compile_fx import compile_fx

        given = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]
        return compile_fx(_module(step), given, config_patches={"fallback_random": True})

    with ThreadPoolExecutor(1) as apart:  # a forward runs below autograd, where PyTorch's compiler cannot trace
        found: Callable[..., Sequence[torch.Tensor]] = apart.submit(compiled).result()
    return found


def _module(step: Step) -> fx.GraphModule:
    graph = fx.Graph()
    own = {i: graph.placeholder(i.name) for i in step.inputs}

    def copied(n: fx.Node) -> fx.Node:
        if n not in own:
            args, kwargs = fx.map_arg(n.args, copied), fx.map_arg(n.kwargs, copied)
            target: Any = torch.reshape if n.target in FLATTENING else n.target
            own[n] = graph.call_function(target, args, kwargs)
        return own[n]

    graph.output(tuple(copied(o) for o in step.outputs))
    return fx.GraphModule({}, graph)

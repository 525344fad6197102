"""The steps of a graph, in an order in which everything is there before it is read."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import fx

from uol.codegen.specs.verify import BrokenSpec
from uol.ir.errors import UolError
from uol.pytorch.graph.calls import LibraryCall
from uol.pytorch.graph.groups import Group, Partition, kind
from uol.pytorch.graph.operators import operator_of
from uol.pytorch.graph.texts import GroupText
from uol.pytorch.graph.words import Unsaid, value_of

StepKind = Literal["text", "library", "view", "constant", "pytorch", "inductor"]

PATIENCE = 64
"""Refused texts after which the groups that are left stay PyTorch's: each refusal costs a partition."""


@dataclass(eq=False)
class Step:
    """What runs at once. `operator` is None where PyTorch or Inductor runs it, for the `reason` given; `text` is a group's."""

    kind: StepKind
    name: str
    nodes: list[fx.Node]
    inputs: list[fx.Node]
    outputs: list[fx.Node]
    operator: Any = None
    options: dict[str, int | float] = field(default_factory=dict)
    reason: str = ""
    text: str = ""


def plan(graph: fx.Graph, left: dict[fx.Node, str]) -> list[Step]:
    """The steps of a tidied graph. `left`: nodes that stay PyTorch's, and why."""
    order = {n: i for i, n in enumerate(graph.nodes)}
    reasons = dict(left)
    of, made = _grouped(graph, order, reasons)
    steps: list[Step] = []
    seen: set[Group] = set()
    for n in graph.nodes:
        if n.op != "call_function":
            continue
        if n not in of:
            steps.append(_single(n, reasons))
        elif of[n] not in seen:
            seen.add(of[n])
            steps.append(made[of[n]])
    return _in_order(graph, steps)


def _grouped(
    graph: fx.Graph, order: dict[fx.Node, int], reasons: dict[fx.Node, str]
) -> tuple[dict[fx.Node, Group], dict[Group, Step]]:
    """The groups, each with a text that has a kernel. A text that is refused loses its last node, which begins a group of its
    own, and stays PyTorch's where it is refused there."""
    first: set[fx.Node] = set()
    apart: set[fx.Node] = set()
    for attempt in range(PATIENCE + 1):
        found = Partition(graph, first, apart)
        made: dict[Group, Step] = {}
        refused = False
        for group in found.groups():
            try:
                made[group] = _text_step(group, order)
            except (Unsaid, UolError, BrokenSpec) as error:
                nodes = sorted(group.nodes, key=order.__getitem__)
                refused = True
                if attempt < PATIENCE and len(nodes) > 1 and nodes[-1] not in first:
                    first.add(nodes[-1])
                    break
                for n in nodes if attempt == PATIENCE or len(nodes) == 1 else nodes[-1:]:
                    apart.add(n)
                    reasons[n] = str(error).splitlines()[0][:150]
        if not refused:
            return found.of, made
    return {n: g for n, g in found.of.items() if g in made}, made


def _text_step(group: Group, order: dict[fx.Node, int]) -> Step:
    found = GroupText(group, order)
    own = operator_of(found.text)
    nodes = sorted(group.nodes, key=order.__getitem__)
    step = Step("text", own.op.name, nodes, found.inputs, found.outputs, own, text=found.text)
    prepare(step, [value_of(i) for i in step.inputs])
    return step


def prepare(step: Step, inputs: Sequence[torch.Tensor]) -> Any:
    """The kernel of a group's text, for inputs that lie so; tensors without data will do. The call that follows finds it."""
    asked = tuple(without_ones(value_of(o)) for o in step.outputs)
    return step.operator.find(inputs, step.options, asked)


def without_ones(t: torch.Tensor) -> tuple[int, ...]:
    """A tensor's strides without those of dims of 1."""
    return tuple(stride for stride, size in zip(t.stride(), t.shape, strict=True) if size != 1)


def _single(n: fx.Node, reasons: dict[fx.Node, str]) -> Step:
    """A node that is in no group."""
    inputs = list(n.all_input_nodes)
    if isinstance(n.target, LibraryCall):
        call = n.target
        text = call.op if isinstance(call.op, str) else ""
        given = [each for each in n.args if isinstance(each, fx.Node)]  # one may be given twice
        return Step("library", call.__name__, [n], given, [n], call.operator, dict(call.options), text=text)
    if kind(n) == "view" or n.target is operator.getitem:
        n.meta["uol_fixed"] = bool(inputs) and all(i.meta.get("uol_fixed") for i in inputs)
        return Step("view", str(n.target), [n], inputs, [n])
    if kind(n) == "constant" or (inputs and not n.is_impure() and all(i.meta.get("uol_fixed") for i in inputs)):
        n.meta["uol_fixed"] = is_repeatable(n)
        return Step("constant", str(n.target), [n], inputs, [n])
    return Step("pytorch", str(n.target), [n], inputs, [n], reason=reasons.get(n, "no text"))


def is_repeatable(n: fx.Node) -> bool:
    """Does a node give the same at every call with the same inputs?"""
    return torch.Tag.nondeterministic_seeded not in getattr(n.target, "tags", ())


def _in_order(graph: fx.Graph, steps: Sequence[Step]) -> list[Step]:
    """What nobody reads is left out, but where it writes."""
    maker = {o: s for s in steps for o in s.outputs}
    found: list[Step] = []
    state: dict[Step, bool] = {}

    def visit(first: Step) -> None:
        todo = [(first, iter(first.inputs))]
        state[first] = False
        while todo:
            step, rest = todo[-1]
            for i in rest:
                needed = maker.get(i)
                if needed is not None and needed not in state:
                    state[needed] = False
                    todo.append((needed, iter(needed.inputs)))
                    break
                assert needed is None or state[needed], f"a circle at {needed.name}"
            else:
                state[step] = True
                found.append(step)
                todo.pop()

    result = next(n for n in graph.nodes if n.op == "output")
    for n in result.all_input_nodes:
        if n in maker and maker[n] not in state:
            visit(maker[n])
    for step in steps:
        if step not in state and step.kind == "pytorch" and step.nodes[0].is_impure():
            visit(step)
    return found

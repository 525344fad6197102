"""What a run of conformance takes, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from uol.backends import registry
from uol.binding.argument_checks import nearest
from uol.conformance.cases.case_matrix import cases_of, first_cases, types_of
from uol.conformance.cases.every_kernel import further_cases
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.verdict import Case
from uol.conformance.runs.shards import Shard
from uol.ir.errors import TypeCheckError, UolError
from uol.ir.gradients import has_gradient
from uol.ir.library import GRADIENT
from uol.ir.types import DTYPES, type_named
from uol.operators.registry import find_operator
from uol.ops.texts import family_of

QUICK = (
    *("add", "softmax", "layer_norm", "argmax", "max_pool2d", "matmul", "conv2d_bn_relu", "attention"),
    *("topk", "cumsum", "scatter_add", "dropout"),
)
"""Operators that have every kind of kernel between them: elementwise, reduction, contraction, attention, selection, scan,
scatter, random numbers."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Operators and targets by name, types as users write them.

    first       the representative workload on random inputs, and the operator's adversarial case; else every workload, kind
                of inputs and memory order
    adversarial with `first`, that second case as well
    gradients   the gradients of the operators in their place
    sizes       "open": by kernels that take dims as arguments, in row-major order; cases beside those that every operator
                has launch each of its kernels
    deterministic   by kernels that add in one order from run to run
    tf32            by kernels that may shorten factors of f32 to TF32, on the targets that have it
    """

    ops: tuple[str, ...]
    targets: tuple[str, ...]
    dtypes: tuple[str, ...] = ("f32",)
    first: bool = False
    gradients: bool = False
    seed: int = 0
    sizes: Sizes = "fixed"
    deterministic: bool = False
    tf32: bool = False
    adversarial: bool = True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An operator that is not checked in a type, or in none (`dtype` is empty), and why."""

    op: str
    dtype: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`groups` are cases that differ in their target alone; what launches one target's kernels is a group for itself."""

    groups: tuple[tuple[Case, ...], ...]
    left_out: tuple[LeftOut, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(case for group in self.groups for case in group)

    def of(self, shard: Shard) -> Plan:
        """The groups of a shard. Raises UolError where it has none."""
        if shard.is_whole:
            return self
        groups = tuple(group for group in self.groups if shard.takes(group[0].name))
        if not groups:
            raise UolError(f"no case is in shard {shard}", hint=f"{len(self.groups)} groups of cases: take fewer shards")
        return Plan(groups, self.left_out)

    def only(self, setting: str) -> Plan:
        """The cases of one setting, `"softmax[S=3, C=33] on random inputs, gaps"`, where types are given before it
        (`"T=f32,U=f16 cast[S=3] on random inputs"`) in these alone. Raises UolError where there is none."""
        groups = tuple(group for group in self.groups if setting in (group[0].setting, f"{group[0].dtype} {group[0].setting}"))
        if not groups:
            hint = nearest(setting, [group[0].setting for group in self.groups]) or f"for example {self.groups[0][0].setting!r}"
            raise UolError(f"there is no case {setting!r}", hint=hint)
        return Plan(groups, self.left_out)


def plan(selection: Selection) -> Plan:
    """The cases of a selection. Raises TypeCheckError for a type that there is not, UolError where no case is left: a check
    of nothing must not pass."""
    selection = replace(selection, dtypes=tuple(dict.fromkeys(map(_known_type, selection.dtypes))))
    if selection.sizes == "open":
        _require_openable(selection.targets)
    ops, left_out = _operators(selection)
    groups: list[tuple[Case, ...]] = []
    for op in ops:
        types = types_of(op, selection.dtypes)
        used = {name.partition("=")[2] or name for dtype in types for name in dtype.split(",")}
        typed = bool(find_operator(op).domain)
        left_out += [LeftOut(op, t, f"{op} does not admit {t}") for t in selection.dtypes if typed and t not in used]
        for dtype in types:
            groups += _groups(op, dtype, selection)
    if not groups:
        reasons = "; ".join(dict.fromkeys(each.reason for each in left_out[:3])) or "no operator was given"
        raise UolError(f"there is nothing to check: {reasons}", hint="choose other types with --dtype, or other operators")
    return Plan(tuple(groups), tuple(left_out))


def openable_targets() -> tuple[str, ...]:
    """The targets whose kernels may take dims as arguments."""
    return tuple(name for name in registry.names() if registry.get(name).capability.symbolic_dims)


def _require_openable(targets: Sequence[str]) -> None:
    """Raises UolError for a target whose kernels are all made for their sizes."""
    for target in targets:
        if target.partition(":")[0] not in openable_targets():
            hint = f"kernels of any size are made for {', '.join(openable_targets())}"
            raise UolError(f"kernels for {target} are made for their sizes", hint=hint)


def differentiable(ops: Sequence[str]) -> list[str]:
    """The gradients of those operators that have one."""
    return [f"{name}{GRADIENT}" for name in ops if _no_gradient(name) is None]


def _known_type(name: str) -> str:
    """The type by the library's own name. Raises TypeCheckError for a type that there is not."""
    dtype = type_named(name)
    if dtype not in DTYPES:
        raise TypeCheckError(f"unknown type {name!r}", hint=f"the types are {', '.join(DTYPES)}")
    return dtype


def _operators(selection: Selection) -> tuple[list[str], list[LeftOut]]:
    if not selection.gradients:
        return list(selection.ops), []
    reasons = {op: _no_gradient(op) for op in selection.ops}
    left_out = [LeftOut(op, "", reason) for op, reason in reasons.items() if reason is not None]
    return [f"{op}{GRADIENT}" for op, reason in reasons.items() if reason is None], left_out


def _no_gradient(op: str) -> str | None:
    """Why an operator has no gradient; None where it has one."""
    if family_of(op) == "optimiser":
        return f"{op} is a step of an optimiser, which is not differentiated"
    return None if has_gradient(find_operator(op)) else f"{op} has no gradient"


def _groups(op: str, dtype: str, selection: Selection) -> Iterator[tuple[Case, ...]]:
    seed, sizes, order, tf32 = selection.seed, selection.sizes, selection.deterministic, selection.tf32
    each = [replace(c, seed=seed, sizes=sizes, deterministic=order, tf32=tf32) for c in _cases(op, dtype, selection)]
    if selection.sizes == "open":
        each = [case for case in each if case.arrangement == "row-major"]
    yield from (tuple(replace(case, target=target) for target in selection.targets) for case in each)
    if selection.sizes == "open" and not selection.first:
        for target in selection.targets:
            yield from ((case,) for case in further_cases([replace(case, target=target) for case in each]))


def _cases(op: str, dtype: str, selection: Selection) -> Sequence[Case]:
    """The cases of an operator in one type, without a target."""
    if not selection.first:
        return cases_of(op, "", dtype)
    return first_cases(op, "", dtype) if selection.adversarial else first_cases(op, "", dtype)[:1]

"""The ends of a scan: what may be evaluated at the position that counts for no other, and what is stored behind the last."""

from __future__ import annotations

from collections.abc import Iterable

from uol.codegen.indexing.arithmetic import ONE, ZERO, mul, static, sub, substituted
from uol.codegen.specs.nodes import Read, Scan, Step, Store
from uol.codegen.specs.traverse import reads, step_expressions
from uol.ir.program.walk import variables


def is_at_end(spec: Scan, step: Step) -> bool:
    """Is the step a store of what folds come to over the whole row?"""
    return isinstance(step, Store) and spec.along.name not in step.axes


def within_row(spec: Scan) -> tuple[Step, ...]:
    """The steps of positions."""
    return tuple(step for step in spec.steps if not is_at_end(spec, step))


def may_evaluate_all(spec: Scan, steps: Iterable[Step] | None = None) -> bool:
    """May steps be evaluated at the last position, too, where an exclusive scan evaluates no value? Where nothing they read is
    out of range there."""
    found = (read for step in steps or spec.steps for expr in step_expressions(step) for read in reads(expr))
    return not spec.exclusive or all(read.guard or _is_whole(spec, read) or _is_held(spec, read) for read in found)


def _is_whole(spec: Scan, read: Read) -> bool:
    """Does a read go along a dim of its tensor from the first to the last?"""
    if spec.along.name not in variables(read.offset):
        return True
    arg, stride = spec.arg(read.tensor), dict(read.strides).get(spec.along.name)
    begins_at_0 = substituted(read.offset, {axis.name: ZERO for axis in spec.axes}) == ZERO
    return begins_at_0 and any(dim == (spec.along.extent, stride) for dim in zip(arg.shape, arg.strides, strict=True))


def _is_held(spec: Scan, read: Read) -> bool:
    """Does a tensor of known size hold the last element of all that are read?"""
    arg, strides = spec.arg(read.tensor), [None if s is None else static(s) for _, s in read.strides]
    last = static(substituted(read.offset, {axis.name: sub(axis.extent, ONE) for axis in spec.axes}))
    ends = [static(mul(sub(dim, ONE), stride)) for dim, stride in zip(arg.shape, arg.strides, strict=True)]
    known = [end for end in ends if end is not None]
    steps = [step for step in strides if step is not None and step >= 0]
    return last is not None and len(known) == len(ends) and len(steps) == len(strides) and last <= sum(known)

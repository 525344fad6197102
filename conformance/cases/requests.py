"""What a case asks of the compiler."""

from __future__ import annotations

from uol.compilation.request import Request, resolve_target
from uol.conformance.cases.open_sizes import opened
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting
from uol.operators.registry import find_operator


def request_of(case: Case) -> Request:
    """The operator at the case's sizes, or with as many dims open as can be; its tensors lie as they are declared.

    Raises UolError where the operator does not admit them, or there is no such target.
    """
    instance, target = fitting(find_operator(case.op), case), resolve_target(case.target)
    request = Request(instance, target, deterministic=case.deterministic, tf32=case.tf32)
    return opened(request) if case.sizes == "open" else request

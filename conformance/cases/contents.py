"""Hashes of what is judged of a case, for journals."""

from __future__ import annotations

from uol.backends import registry
from uol.compilation.pipeline import module_of, module_records
from uol.compilation.request import Request
from uol.conformance.cases.twin_check import Prepared, attempt
from uol.conformance.cases.verdict import Case, Verdict
from uol.conformance.runs.keys import content_of, content_of_refusal, hash_of_bytes
from uol.ir.errors import UolError


def content_of_attempt(attempted: Prepared | Verdict) -> str:
    """Of a case that was made ready, or refused."""
    return content_of_refusal(attempted.reason) if isinstance(attempted, Verdict) else content_of(attempted)


def content_of_case(case: Case) -> str:
    """Its emitted text and its inputs."""
    return content_of_attempt(attempt(case))


def content_of_request(request: Request) -> str:
    """The emitted text alone, with schedules and launches."""
    try:
        module = module_of(request)
    except UolError as error:
        return content_of_refusal(error.message)
    return hash_of_bytes(module_records(registry.get(module.backend)).encode(module))

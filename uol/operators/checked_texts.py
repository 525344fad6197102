"""Operators that the checker has passed are known by their key: a process that registers them again needs neither the checker
nor TVM, which proves what it asks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

from uol.backends.cache.files import Key, open_cache
from uol.backends.cache.records import Records
from uol.compilation.generator import generator_hash, tool_versions
from uol.ir.errors import ResourceError
from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Op
from uol.operators.registry import callees
from uol.ops.texts import TextLibrary

_OP = Records(Op)
_PASSED = b"passed"


def digest_of(op: Op) -> str:
    """sha256 over an operator with its positions, which stand in messages and in what is derived from it."""
    return hashlib.sha256(_OP.encode(op)).hexdigest()


def require_right(ops: Sequence[Op], library: TextLibrary) -> None:
    """Checks the operators of a text, which `library` holds, unless it is known that they are right. Raises what the checker
    raises: TypeCheckError or BoundsError, at its position."""
    key = _key(ops, library)
    with suppress(ResourceError):  # the folder cannot be written
        if open_cache().get(key) == _PASSED:
            return
    from uol.ir.checker.checker import check
    from uol.ir.gradients.residuals import check_written

    for op in ops:
        check(op, library)
        check_written(op, library)
    with suppress(ResourceError):
        open_cache().put(key, _PASSED)


def _key(ops: Sequence[Op], library: TextLibrary) -> Key:
    """The operators, those that they call, and those that they are the gradients of, all with what they call."""
    forwards = [library.get(op.name.removesuffix(GRADIENT)) for op in ops if op.name.endswith(GRADIENT)]
    given = [*ops, *(op for op in forwards if op is not None)]
    called = [each for op in given for each in callees(op, library)]
    return Key(
        {
            "stage": "checked",
            "ops": [digest_of(op) for op in given],
            "called": [digest_of(op) for op in called],
            "generator": generator_hash(),
            "tools": tool_versions(),
        }
    )

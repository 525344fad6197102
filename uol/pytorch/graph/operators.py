"""Operators of a graph: made from a text without a name in the library, or the library's, both past PyTorch's dispatcher.

A text's operator is called by the hash of its text, which keys every cache: equal groups of any graph share their kernels, and
another process finds them on disk.
"""

from __future__ import annotations

import hashlib

from uol.ir.forking import unforked
from uol.ir.syntax.surface import Op
from uol.operators.gradients import gradient_op
from uol.operators.registration import right_operators
from uol.operators.registry import find_operator
from uol.pytorch.bridge import generated
from uol.pytorch.call import TorchOperator

NAME = "NAME"
"""What stands in the place of the name in a text for `operator_of`."""

_by_text: dict[str, TorchOperator] = {}
_by_op: dict[Op, TorchOperator] = {}


def operator_of(text: str) -> TorchOperator:
    """The operator of a text `op NAME(...) ...`. Raises what the checker raises."""
    found = _by_text.get(text)
    if found is None:
        name = f"graph_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        with unforked():
            (op,) = right_operators(text.replace(NAME, name, 1), "<graph>")
        found = _by_text[text] = TorchOperator(op, generated)
    return found


def library_operator(op: Op) -> TorchOperator:
    """An operator of the library, or one that was derived there."""
    found = _by_op.get(op)
    if found is None:
        found = _by_op[op] = TorchOperator(op, generated)
    return found


def library_op(name: str) -> Op:
    """The library's operator of that name."""
    return find_operator(name)


def saving_op(name: str, wrt: tuple[str, ...]) -> Op:
    """What runs in the place of an operator whose gradient is recorded: it gives what the gradient reads, too."""
    with unforked():
        return gradient_op(find_operator(name), wrt).forward


def gradient_of(name: str, wrt: tuple[str, ...]) -> Op:
    """The library's gradient of an operator with respect to some inputs."""
    with unforked():
        return gradient_op(find_operator(name), wrt).op

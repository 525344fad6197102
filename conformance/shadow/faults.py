"""What is said of an element that is beyond its bound, and where in the user's code it was asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import uol.pytorch
from uol.ir.errors import ContractError
from uol.pytorch.schema import NAMES

SKIPPED = (Path(torch.__file__).parent, Path(uol.pytorch.__file__).parent, Path(__file__).parent)
"""Whose lines are not the user's: PyTorch's, those of the face, and these."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An element beyond its bound. `what`: the operator or the gradient; `bound` in words; `of`: how many are beyond."""

    what: str
    place: tuple[int, ...]
    got: float
    owed: float
    owed_by: str
    bound: str
    of: str = ""

    def __str__(self) -> str:
        beyond = f" ({self.of})" if self.of else ""
        values = f"got {self.got!r}, {self.owed_by} {self.owed!r}; admitted: {self.bound}{beyond}"
        return f"{self.what} at {list(self.place)}: {values}"


def error_of(fault: Fault | str, name: str, site: str, arguments: str) -> ContractError:
    """The error that a block of `enabled(check=True)` raises."""
    return ContractError(
        f"{name}: {fault}\n  called at {site}\n  with {arguments}",
        hint=f"uol.ops.{name} on these values alone repeats it; report the operator, shapes, types and this message; "
        "the model runs without the operator where that line is outside of the block",
    )


def site_of_call() -> str:
    """`file:line` of the line of the user's code that is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_skipped(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_skipped(file: str) -> bool:
    path = Path(file)
    return file.startswith("<") or any(each in path.parents for each in SKIPPED) or path.name == "contextlib.py"


def shown(args: Sequence[Any], named: dict[str, Any]) -> str:
    """The arguments of a call, tensors by type and shape."""
    return ", ".join([*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in named.items())])


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{NAMES.get(value.dtype, value.dtype)}{list(value.shape)}"
    if type(value) in (list, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)

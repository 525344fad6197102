"""What every row of a suite has, whatever it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from uol.conformance.bench.work import Work
from uol.ir.errors import UolError

if TYPE_CHECKING:
    import torch

Pass = Literal["forward", "forward + backward", "step"]
Call = Callable[[], Sequence["torch.Tensor"]]
"""Gives the results; of a step in place, the tensors that it has changed."""


@dataclass(frozen=True, slots=True)
class Contenders:
    """Two calls that compute the same. uol may give more results than PyTorch, after those that both give. `compiled` gives
    PyTorch's with its function or module by torch.compile, which compiles when that is called first; None where it has none."""

    uol: Call
    pytorch: Call
    compiled: Callable[[], Call] | None = None

    def beside_compiled(self) -> Contenders:
        """uol and PyTorch's call by torch.compile. Raises UolError where there is none."""
        import torch

        if self.compiled is None:
            raise UolError("torch.compile is asked for operators and models alone")
        torch.compiler.reset()  # or it would compile a function that it has met at other sizes for any size
        return Contenders(self.uol, self.compiled())


class Row(Protocol):
    """One workload of a suite."""

    @property
    def name(self) -> str:
        """What it computes at which sizes: the same name is the same work, in every record."""
        ...

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What is measured of it."""
        ...

    def contenders(self, passed: Pass) -> Contenders:
        """On tensors of their own. Raises UolError where something that is needed is not installed."""
        ...

    def work(self, passed: Pass) -> Work | None:
        """What it has to do at least; None where nobody has counted."""
        ...

    def quick(self) -> Row:
        """The same at sizes that take no time: for tests."""
        ...


def smaller(size: int, most: int = 32) -> int:
    """A size halved until it is at most `most`, so that what was twice as large still is.

    >>> [smaller(size) for size in (7, 32, 768, 1000, 3072)]
    [7, 32, 24, 31, 24]
    """
    while size > most:
        size //= 2
    return size

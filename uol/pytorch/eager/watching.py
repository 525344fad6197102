"""Who looks on while calls are taken: the shadow of `uol.enabled(check=True)`, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Compute = Callable[[Sequence[Any], dict[str, Any]], Any]
"""The result that `uol.ops` gives for arguments as PyTorch takes them. It raises UolError for what is refused."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of one of PyTorch's functions. `name`: that of `uol.ops`, or PyTorch's where it has none there; `writes`: over the
    first argument."""

    name: str
    function: Callable[..., Any]
    args: Sequence[Any]
    named: dict[str, Any]
    writes: bool = False

    def by_pytorch(self) -> Any:
        """PyTorch's own result."""
        return self.function(*self.args, **self.named)


class Watch(Protocol):
    """What is called in the place of a computation, and makes it."""

    def taken(self, asked: Asked, compute: Compute) -> Any:
        """The result of a call that `uol` is asked for. What `compute` raises goes on: the call stays PyTorch's then."""

    def left(self, asked: Asked) -> Any:
        """That of a call which stays PyTorch's."""

"""Operators by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from uol.ir.errors import TypeCheckError
from uol.ir.syntax import Op

GRADIENT = "_grad"


class Library:
    """The operators that a text may call, by name."""

    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self._ops: dict[str, Op] = {}
        self._gradients: dict[str, Op] = {}
        for op in ops:
            self.add(op)

    def get(self, name: str) -> Op | None:
        """The operator of that name, or None. `f_grad` is the gradient of f: the text that was added under that name, or
        the derived one."""
        found = self._ops.get(name)
        if found is None and name.endswith(GRADIENT):
            return self._gradient(name)
        return found

    def _gradient(self, name: str) -> Op | None:
        if name not in self._gradients:
            self._override(name)
        if name not in self._gradients:
            forward = self.get(name.removesuffix(GRADIENT))
            from uol.ir.gradients import gradient, has_gradient

            if forward is None or not has_gradient(forward):
                return None

            self._gradients[name] = gradient(forward, self)
        return self._gradients[name]

    def override(self, gradient: Op) -> None:
        """Takes a text in the place of a derived gradient, `f_grad`. It is no operator of the library beside f."""
        self._gradients[gradient.name] = gradient

    def _override(self, name: str) -> None:
        """A chance to bring in the text of a gradient before it is derived."""

    def add(self, op: Op) -> None:
        """Takes an operator in. A name may be given again only to an equal operator."""
        known = self._ops.get(op.name)
        if known is not None and known != op:
            raise TypeCheckError(
                f"the library has another operator `{op.name}`", span=op.span, text=op.source, hint="rename it"
            )
        self._ops[op.name] = op

    def __contains__(self, name: str) -> bool:
        return name in self._ops

    def __iter__(self) -> Iterator[Op]:
        return iter(self._ops.values())

    def __len__(self) -> int:
        return len(self._ops)

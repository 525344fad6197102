"""Operators by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations

from uol.ir.errors import TypeCheckError
from uol.ir.operators import GRADIENT as GRADIENT
from uol.ir.operators import SAVING as SAVING
from uol.ir.operators import gradient_name
from uol.ir.syntax.surface import Op


def _integers(forward: Op, name: str) -> tuple[str, ...] | None:
    """The type variables that are integers in the gradient of that name; None where it is none of the operator's."""
    mixed = forward.mixed_variables
    choices = (chosen for count in range(len(mixed) + 1) for chosen in combinations(mixed, count))
    return next((chosen for chosen in choices if gradient_name(forward.name, chosen) == name), None)


class Library:
    """The operators that a text may call, by name."""

    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self._ops: dict[str, Op] = {}
        self._derived: dict[str, Op] = {}
        for op in ops:
            self.add(op)

    def get(self, name: str) -> Op | None:
        """The operator of that name, or None. `f_grad` is the gradient of f: the text that is written for it, or the
        derived one. `f_saving` is f with what a written gradient reads beside inputs and results."""
        return self._ops.get(name) or self.written_gradient(name) or self._derived_gradient(name) or self._saving(name)

    def written_gradient(self, name: str) -> Op | None:
        """The text that stands in the place of a derived gradient: one that was added under that name."""
        return self._ops.get(name) if name.endswith(GRADIENT) else None

    def _derived_gradient(self, name: str) -> Op | None:
        stem, found, others = name.rpartition(GRADIENT)
        if name not in self._derived and found and (not others or others.startswith("_integer_")):
            from uol.ir.gradients import gradient, has_gradient

            forward = self.get(stem)
            integers = () if forward is None else _integers(forward, name)
            if forward is not None and integers is not None and has_gradient(forward, integers):
                self._derived[name] = gradient(forward, self, integers=integers)
        return self._derived.get(name)

    def _saving(self, name: str) -> Op | None:
        forward = self.get(name.removesuffix(SAVING)) if name.endswith(SAVING) else None
        if forward is None:
            return None
        from uol.ir.gradients.residuals import saving_operator

        return saving_operator(forward, self)

    def add(self, op: Op) -> None:
        """Takes an operator in. A name may be given again only to an equal operator."""
        known = self._ops.get(op.name)
        if known is not None and known != op:
            message = f"the library has another operator `{op.name}`, and a name keeps its meaning in a process"
            hint = f"rename it, {op.name}_2 for example; what was recorded with the other one may still need it"
            raise TypeCheckError(message, span=op.span, text=op.source, hint=hint)
        self._ops[op.name] = op

    @contextmanager
    def substituting(self, ops: Iterable[Op]) -> Iterator[None]:
        """Within, these operators stand under their names, whatever stood there."""
        new = {op.name: op for op in ops}
        for name in new:
            self.get(name)  # reads the text that holds it, which adds it
        kept, derived = {name: self._ops.get(name) for name in new}, self._derived
        self._ops |= new
        self._derived = {}
        try:
            yield
        finally:
            self._derived = derived
            for name, op in kept.items():
                if op is None:
                    del self._ops[name]
                else:
                    self._ops[name] = op

    def __contains__(self, name: str) -> bool:
        return name in self._ops

    def __iter__(self) -> Iterator[Op]:
        return iter(self._ops.values())

    def __len__(self) -> int:
        return len(self._ops)

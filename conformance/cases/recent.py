"""What takes long to make, and many cases share: kept in memory while it is of use."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values that were asked for last, up to so many.

    >>> squares = Recent[int](2)
    >>> [squares.get(n, lambda n=n: n * n) for n in (3, 4, 3)]
    [9, 16, 9]
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Hashable, Value] = {}  # the least recent first

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not there."""
        value = self._values.pop(key) if key in self._values else make()
        self._values[key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]
        return value

"""Calls of the library in a graph, and what writes them in the place of a node."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from uol.ir.syntax.surface import Op
from uol.pytorch.graph.operators import library_operator, operator_of
from uol.pytorch.graph.words import Unsaid, value_of


class LibraryCall:
    """An operator of the library in a graph: one result, or a tuple of them. Where `op` is a text, it is one that a rule made
    for the sizes of its node."""

    def __init__(self, op: Op | str, options: Mapping[str, int | float]) -> None:
        self.op, self.options = op, options
        self.__name__ = self.__qualname__ = "text" if isinstance(op, str) else op.name  # by which a graph names its nodes

    @property
    def operator(self) -> Any:
        """The operator, past PyTorch's dispatcher."""
        return operator_of(self.op) if isinstance(self.op, str) else library_operator(self.op)

    def __call__(self, *inputs: torch.Tensor) -> Any:
        return self.operator.find(inputs, self.options).new(inputs)


class Writer:
    """Nodes in front of one that they replace."""

    def __init__(self, n: fx.Node) -> None:
        self.n, self.graph = n, n.graph

    def node(self, target: Any, args: tuple[Any, ...], value: Any) -> fx.Node:
        """A node with what stands for its value."""
        with self.graph.inserting_before(self.n):
            made = self.graph.call_function(target, args)
        made.meta["val"] = value
        return made

    def call(self, op: Op | str, inputs: tuple[fx.Node, ...], value: Any, **options: int | float) -> fx.Node:
        """A call of the library, whose results lie as `value` does."""
        if isinstance(op, str):
            operator_of(op)  # raises here what the checker raises
        return self.node(LibraryCall(op, options), inputs, value)

    def of(self, n: fx.Node, overload: Any, *args: Any) -> fx.Node:
        """An operator of PyTorch on a node."""
        return self.node(overload, (n, *args), overload(value_of(n), *args))

    def replace_parts(self, parts: Mapping[int, fx.Node]) -> None:
        """Readers of the node's results read these."""
        for user in list(self.n.users):
            at: Any = user.args[1]
            user.replace_all_uses_with(parts[at])
            self.graph.erase_node(user)
        self.graph.erase_node(self.n)


def parts_read(n: fx.Node) -> list[Any]:
    """Which results of a node are read."""
    if any(user.target is not operator.getitem for user in n.users):
        raise Unsaid("its results are read as one")
    return [user.args[1] for user in n.users]

"""The text of a group: a statement for what is reduced, given out, or dear and read twice; the rest stands where it is read."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import torch
from torch import fx

from uol.pytorch.graph.convolutions import convolution
from uol.pytorch.graph.groups import Group, base, kind, readers
from uol.pytorch.graph.moves import MOVES
from uol.pytorch.graph.operators import NAME
from uol.pytorch.graph.views import VIEWS
from uol.pytorch.graph.words import (
    CASTS,
    COMPARISONS,
    CONVOLUTION,
    HALVES,
    LOGIC,
    MAPS,
    PRODUCTS,
    REDUCTIONS,
    SCAN,
    TYPES,
    Unsaid,
    aten,
    constant,
    literal,
    power,
    product_of_rows,
    reduced,
    shape,
    value_of,
)

DIMS = "ijklmnpq"
FOLDS = "abcdefgh"
LONG = 100
"""Characters of a value without a function or a division up to which it is written wherever it is read: a kernel that keeps a
row for it is slower than one that computes it twice."""
LONGEST = 4000
"""Characters of a value beyond which a group is refused."""
_DEAR = re.compile(r"exp|tanh|erf|log|sqrt|sin|cos|pow| / ")


class GroupText:
    """`text`, with NAME for the operator's name; `inputs` in the order of its parameters, `outputs` in that of its results.
    Results have no dims of 1, and so need a view. Raises Unsaid for what has no words."""

    def __init__(self, group: Group, order: dict[fx.Node, int]) -> None:
        self.group = group
        self._parameters: dict[fx.Node, str] = {}
        self._statements: list[str] = []
        self._local: dict[fx.Node, str] = {}
        self._folds = 0
        self._alone: set[tuple[str, int]] = set()  # indices that stand alone in a dim of so many places
        nodes = sorted(group.nodes, key=order.__getitem__)
        self.outputs = [n for n in nodes if any(r not in group.nodes for r in readers(n))]
        for n in nodes:
            inside = [r for r in readers(n) if r in group.nodes]
            if n in self.outputs or kind(n) == "reduction" or len(inside) > 1:
                self._define(n)
        self.inputs = list(self._parameters)
        if not self.inputs:
            raise Unsaid("no tensor is read")
        head = ", ".join(f"{name}: {_type(n, shape(n))}" for n, name in self._parameters.items())
        results = ", ".join(f"{self._local[n]}: {_type(n, tuple(d for d in shape(n) if d != 1))}" for n in self.outputs)
        body = "\n".join(f"  {s}" for s in self._statements)
        self.text = f"op {NAME}({head}) -> ({results}) {{\n{body}\n}}"

    def _define(self, n: fx.Node) -> None:
        is_out, sizes = n in self.outputs, shape(n)
        if len(sizes) > len(DIMS):
            raise Unsaid(f"{len(sizes)} dims")
        index = ["0" if d == 1 else i for d, i in zip(sizes, DIMS, strict=False)]
        kept, self._alone = self._alone, set()
        value = self._value(n, index)
        alone, self._alone = self._alone, kept
        if len(value) > LONGEST:
            raise Unsaid("the expression is too long")
        if not is_out:
            if any(d != 1 and (i, d) not in alone for i, d in zip(index, sizes, strict=True)):
                if kind(n) == "reduction":
                    raise Unsaid("nothing says how far an index of a local runs")
                return
            if kind(n) != "reduction" and len(sizes) > 1 and len(value) < LONG and not _DEAR.search(value):
                return
        name = self._local[n] = f"{'y' if is_out else 't'}{len(self._local)}"
        shown = [i for i, d in zip(index, sizes, strict=True) if d != 1]
        self._statements.append(f"{name}[{', '.join(shown)}] = {value}")

    def read(self, n: fx.Node, index: list[str], guard: bool = False) -> str:
        """The value of a node at an index; 0 outside, where it has a guard."""
        while n not in self.group.nodes and kind(n) == "view" and (base(n) in self.group.nodes or kind(base(n)) == "constant"):
            index = VIEWS[n.target](n, list(index))
            n = n.args[0]  # type: ignore[assignment]
        if n in self._local:
            there = [(i, d) for i, d in zip(index, shape(n), strict=True) if d != 1]
            return self._access(self._local[n], there, guard)
        if n in self.group.nodes:
            return self._value(n, index, guard)
        if kind(n) == "constant":
            return constant(n, index)
        name = self._parameters.setdefault(n, f"x{len(self._parameters)}")
        return self._access(name, list(zip(index, shape(n), strict=True)), guard)

    def _access(self, name: str, there: list[tuple[str, int]], guard: bool) -> str:
        self._alone.update(there)
        text = f"{name}[{', '.join(i for i, _ in there)}]"
        return f"({text} else 0)" if guard and any(not i.isdigit() for i, _ in there) else text

    def operand(self, a: Any, index: list[str], dtype: torch.dtype, guard: bool) -> str:
        """An operand at the index of what it is broadcast to, in a type."""
        if not isinstance(a, fx.Node):
            number = int(a) if isinstance(a, bool) and dtype != torch.bool else a
            return literal(float(number) if dtype.is_floating_point else number)
        sizes = shape(a)
        own = ["0" if d == 1 else i for d, i in zip(sizes, index[len(index) - len(sizes) :], strict=True)]
        value = self.read(a, own, guard)
        return value if value_of(a).dtype == dtype else f"{TYPES[dtype]}({value})"

    def _value(self, n: fx.Node, index: list[str], guard: bool = False) -> str:
        t, dtype = n.target, value_of(n).dtype
        if t is CONVOLUTION or t in PRODUCTS or t in REDUCTIONS or t is SCAN:
            wide = torch.float32 if dtype in HALVES else dtype
            value = self._folded(n, index, wide, guard)
            return value if wide == dtype else f"{TYPES[dtype]}({value})"
        if t in MOVES:
            return MOVES[t](n, index, self, guard)
        if t is aten.copy.default:
            return self.operand(n.args[1], index, dtype, guard)
        if t in CASTS or t is aten.clone.default:
            return self.operand(n.args[0], index, dtype, guard)
        if t is aten.where.self:
            condition = self.operand(n.args[0], index, torch.bool, guard)
            return MAPS[t](condition, *(self.operand(a, index, dtype, guard) for a in n.args[1:]))
        return self._map(n, index, guard)

    def _map(self, n: fx.Node, index: list[str], guard: bool) -> str:
        t, dtype = n.target, value_of(n).dtype
        if n.kwargs.get("rounding_mode"):
            raise Unsaid("a division that rounds")
        common = dtype
        if t in COMPARISONS:
            common = _compared(n)
        elif t in LOGIC and any(value_of(a).dtype != torch.bool for a in n.all_input_nodes):
            raise Unsaid("the truth of numbers")
        wide = torch.float32 if common in HALVES else common  # PyTorch's kernels compute in f32, and round each result
        if t is aten.pow.Tensor_Scalar:
            exponent: Any = n.args[1]
            value = power(self.operand(n.args[0], index, wide, guard), exponent)
        else:
            values = [self.operand(a, index, wide, guard) for a in n.args]
            alpha: Any = n.kwargs.get("alpha", 1)
            if alpha != 1:
                values[1] = f"{literal(float(alpha) if wide.is_floating_point else alpha)} * {values[1]}"
            value = MAPS[t](*values)
        return value if wide == common or t in COMPARISONS else f"{TYPES[dtype]}({value})"

    def _folded(self, n: fx.Node, index: list[str], wide: torch.dtype, guard: bool) -> str:
        """A value with a reduction in it, in the type that it is summed in."""
        if n.target is CONVOLUTION:
            return convolution(n, index, lambda a, i, within: self._wide(a, i, wide, within))
        if n.target in PRODUCTS:
            return self._product(n, index, wide)
        if n.target is SCAN:
            dim: Any = n.args[1]
            own = list(index)
            if not own:
                return self.operand(n.args[0], own, wide, guard)
            fold = self._fold()
            own[dim % len(index)], last = fold, own[dim % len(index)]
            return f"sum[{fold} <= {last}]({self.operand(n.args[0], own, wide, guard)})"
        return self._reduction(n, index, wide, guard)

    def _fold(self) -> str:
        self._folds += 1
        return FOLDS[(self._folds - 1) % 8] + ("" if self._folds <= 8 else str(self._folds))

    def _reduction(self, n: fx.Node, index: list[str], wide: torch.dtype, guard: bool) -> str:
        source, (dims, keep) = shape(n.args[0]), reduced(n)
        word, by_count = REDUCTIONS[n.target]
        rest = iter([i for d, i in enumerate(index) if d not in dims] if keep else index)
        full: list[str] = []
        folds: list[tuple[str, int]] = []
        for d, size in enumerate(source):
            if d not in dims:
                full.append(next(rest))
            elif size == 1:
                full.append("0")
            else:
                full.append(self._fold())
                folds.append((full[-1], size))
        if word in ("argmax", "argmin"):
            wide = value_of(n.args[0]).dtype
            if len(folds) != 1:
                raise Unsaid("the place of an extremum over several dims, or one of one")
        body = self.operand(n.args[0], full, wide, guard)
        if not folds:
            return body
        bounds = ", ".join(i if (i, d) in self._alone else f"{i} < {d}" for i, d in folds)
        text = f"{word}[{bounds}]({body})"
        return f"({text} / {prod(source[d] for d in dims)})" if by_count else text

    def _wide(self, a: fx.Node, index: list[str], wide: torch.dtype, guard: bool) -> str:
        value = self.read(a, index, guard)
        return value if value_of(a).dtype == wide else f"{TYPES[wide]}({value})"

    def _product(self, n: fx.Node, index: list[str], wide: torch.dtype) -> str:
        c: Any = None
        if n.target is aten.addmm.default:
            if any(v != 1 for v in n.kwargs.values()):
                raise Unsaid("a product with alpha or beta")
            c, a, b = n.args
        elif n.target is product_of_rows:
            a, b, c = n.args
        else:
            a, b = n.args
        assert isinstance(a, fx.Node) and isinstance(b, fx.Node)
        if not wide.is_floating_point:
            raise Unsaid("a product of whole numbers")
        batch = index[:-2] if n.target is aten.bmm.default else []
        left, right = self._wide(a, [*index[:-1], "c"], wide, False), self._wide(b, [*batch, "c", index[-1]], wide, False)
        inner = shape(a)[-1]
        bound = "c" if inner != 1 else "c < 1"
        text = f"sum[{bound}]({left} * {right})"
        return text if c is None else f"({text} + {self.operand(c, index, wide, False)})"


def _type(n: fx.Node, sizes: tuple[int, ...]) -> str:
    return f"{TYPES[value_of(n).dtype]}[{', '.join(map(str, sizes))}]"


def _compared(n: fx.Node) -> torch.dtype:
    """The type in which a comparison is computed."""
    a, b = n.args if len(n.args) == 2 else (n.args[0], n.args[0])
    other: Any = value_of(b) if isinstance(b, fx.Node) else b
    return torch.result_type(value_of(a), other)

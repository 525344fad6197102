"""A random text as cases."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from uol.backends import registry
from uol.binding.named_binding import bind_names
from uol.conformance.cases.open_sizes import Sizes
from uol.conformance.cases.verdict import Case
from uol.conformance.random_texts.kernel_texts import KINDS, KernelText, kernel_texts
from uol.ir import Op, UolError, check, parse
from uol.ir.gradients import has_gradient
from uol.ir.library import GRADIENT
from uol.ir.syntax.surface import Access, Apply, Binary, Expr, Number, Reduction, below
from uol.operators.registry import add_operator, catalogue
from uol.ops.inputs import Kind
from uol.ops.references.gradients import register_forward
from uol.ops.workloads import Workload

NOT_FINITE: frozenset[Kind] = frozenset(("special", "infinite", "lone"))


def targets() -> tuple[str, ...]:
    """Every target's name."""
    return registry.names()


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a text runs, and what its kernels are made for."""

    target: str
    sizes: Sizes

    def __str__(self) -> str:
        return f"{self.target} {self.sizes}"


@dataclass(frozen=True, slots=True)
class Where:
    """The settings that texts run on: all of them, or with `in_turn` one of each target's, by the number of the text."""

    settings: tuple[Setting, ...]
    in_turn: bool = False

    @staticmethod
    def on(targets: Sequence[str], in_turn: bool = False) -> Where:
        """Both kinds of sizes on each target that has both."""
        every: tuple[Sizes, ...] = get_args(Sizes)
        has_both = {t for t in targets if registry.get(t).capability.symbolic_dims}
        return Where(tuple(Setting(t, s) for t in targets for s in every if s == "fixed" or t in has_both), in_turn)

    def of(self, number: int) -> tuple[Setting, ...]:
        """Of a text."""
        if not self.in_turn:
            return self.settings
        own = [[s for s in self.settings if s.target == t] for t in dict.fromkeys(s.target for s in self.settings)]
        first = number // len(KINDS)
        return tuple(each[(first + turn) % len(each)] for turn, each in enumerate(own))


def admitted_text(number: int) -> tuple[KernelText, str]:
    """The first text of that number that the language admits at its sizes, whose operators this process knows then; or one that
    the checker breaks down at, with the traceback."""
    for text in kernel_texts(number):
        try:
            take_in(text)
        except UolError:
            continue
        except Exception:
            return text, traceback.format_exc()
        return text, ""
    raise AssertionError("there is no end to random texts")


def take_in(text: KernelText) -> None:
    """Registers the operators of a text. Raises what the checker raises, and ShapeError for sizes that are not admitted."""
    ops = parse(text.text)
    within = catalogue().copy()
    for each in ops:
        within.add(each)
    for each in ops:
        check(each, within)
    bind_names(ops[-1], text.dtype, text.dims, text.attrs)
    for each in ops:
        add_operator(each)
        register_forward(each)


def cases_of(text: KernelText, chosen: Sequence[Setting]) -> Iterator[Case]:
    """The operator, and its gradient where a float depends on one. Raises UolError where the gradient is refused."""
    op = catalogue().get(text.name)
    assert op is not None
    workload = Workload(text.name, dict(text.dims), dict(text.attrs))
    for of in (op, *((catalogue().get(text.name + GRADIENT),) if has_gradient(op) else ())):
        assert of is not None
        inputs = text.inputs if text.inputs not in NOT_FINITE or says_all(of) else "random"
        for setting in chosen:
            yield Case(of.name, setting.target, text.dtype, workload, inputs, seed=text.number, sizes=setting.sizes)


def says_all(op: Op) -> bool:
    """Whether the language says what the results are where inputs are infinite or NaN: not where a product that is summed has a
    factor of 0 by `else 0`, nor where factors of a recurrence are infinite."""
    return not any(_leaves_open(s.value, s.op == "+=") for s in op.body)


def _leaves_open(value: Expr, summed: bool) -> bool:
    bodies = [value] if summed else []
    bodies += [a for n in below(value) if isinstance(n, Reduction) and n.op == "sum" for a in n.args]
    products = [n for body in bodies for n in below(body) if isinstance(n, Binary) and n.op == "*"]
    return any(_may_be_absent(n) for p in products for n in below(p))


def _may_be_absent(node: object) -> bool:
    match node:
        case Access(fill=Number(0)) | Reduction(op="prod"):
            return True
        case Apply(fn="select"):
            return True
    return False

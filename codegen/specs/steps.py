"""The steps of a spec as renderers want them: stored directly, hoisted, and those of a Reduce as passes over its columns.

Softmax reads its row three times. The depth of a name is how many folds must be finished before it is known; a pass holds all
folds of one depth and the element stores that can be written beside them, so that independent folds share one reading of the
row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from uol.codegen.specs.nodes import Fold, Let, Reduce, Step, Store
from uol.codegen.specs.traverse import step_expressions
from uol.ir.program.nodes import Var
from uol.ir.program.walk import variables, walk

PICKS: Mapping[str, str] = {"argmax": "max", "argmin": "min"}
"""Folds that give a place, each with the one that gives the value there."""
BINARY_OF = {"sum": "+", "prod": "*", "max": "max", "min": "min", "any": "or", "all": "and"}
"""What a fold does with two values."""
RECURRENCE, AFFINE = "recurrence", "affine"
"""The fold of maps t -> by * t + plus, one after another, from 0 on; and what such a map is called: `affine(by, plus)`."""


def names_behind(steps: Iterable[Step], wanted: Iterable[Step]) -> frozenset[str]:
    """The names that steps use, directly or through lets; what a fold is made of is not among them."""
    lets = {s.name: s for s in steps if isinstance(s, Let)}
    found: set[str] = set()
    rest = set(used_variables(wanted))
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest |= used_variables([lets[name]]) if name in lets else set()
    return frozenset(found)


def used_variables(steps: Iterable[Step]) -> frozenset[str]:
    """Names that occur in the steps' expressions."""
    return frozenset(name for step in steps for expr in step_expressions(step) for name in variables(expr))


def stored_directly(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A value that is only stored needs no variable: `const float v = e; y[i] = v;` becomes `y[i] = e;`."""
    uses = Counter(e.name for s in steps for root in step_expressions(s) for e in walk(root) if isinstance(e, Var))
    values = {(s.name, s.axes): s.value for s in steps if isinstance(s, Let) and uses[s.name] == 1}
    out: list[Step] = []
    dropped: set[str] = set()
    for step in steps:
        match step:
            case Store(value=Var(name=name), axes=axes) if (name, axes) in values:
                out.append(replace(step, value=values[name, axes]))
                dropped.add(name)
            case _:
                out.append(step)
    return tuple(s for s in out if not (isinstance(s, Let) and s.name in dropped))


def split_lets(steps: tuple[Step, ...], varying: set[str]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The lets that depend on none of the varying axes, and all other steps."""
    hoisted: list[Step] = []
    rest: list[Step] = []
    late = set(varying)
    for step in steps:
        if isinstance(step, Let) and not (set(step.axes) | variables(step.value)) & late:
            hoisted.append(step)
            continue
        rest.append(step)
        if isinstance(step, Let):
            late.add(step.name)
    return tuple(hoisted), tuple(rest)


@dataclass(frozen=True, slots=True)
class Pass:
    """One run over the columns, then steps of the row that use its folds. `steps` are folds, stores and the lets that these
    need, directly or through others, in the spec's order: a let that several passes need is in each."""

    steps: tuple[Step, ...]
    row_steps: tuple[Let | Store, ...]

    @property
    def elements(self) -> tuple[Fold | Store, ...]:
        """What the run is for: folds and stores."""
        return tuple(s for s in self.steps if not isinstance(s, Let))

    @property
    def folds(self) -> tuple[Fold, ...]:
        return tuple(s for s in self.elements if isinstance(s, Fold))


@dataclass(frozen=True, slots=True)
class Passes:
    """`before`: row steps that need no fold. `element_lets`: values of elements, computed where a pass uses them. Every pass
    has elements."""

    before: tuple[Let | Store, ...]
    passes: tuple[Pass, ...]
    element_lets: Mapping[str, Let]

    def needed(self, names: frozenset[str]) -> tuple[Let, ...]:
        """The element values behind some names, in the order in which they must be computed."""
        found: dict[str, Let] = {}
        self._collect(names, found)
        return tuple(let for name, let in self.element_lets.items() if name in found)

    def _collect(self, names: frozenset[str], found: dict[str, Let]) -> None:
        for name in names & self.element_lets.keys() - found.keys():
            found[name] = self.element_lets[name]
            self._collect(variables(found[name].value), found)


def passes_of(spec: Reduce) -> Passes:
    """The steps of a Reduce in passes. Sums over rows are among them: first in their pass, before anything is stored."""
    rows = {a.name for a in spec.rows}
    depth: dict[str, int] = {}
    elements: dict[int, list[Fold | Store]] = {}
    row_steps: dict[int, list[Let | Store]] = {}
    element_lets: dict[str, Let] = {}
    for step in (*spec.steps, *spec.columns):
        after = _depth(step, depth)
        match step:
            case Fold(name=name):
                depth[name] = after + 1
                elements.setdefault(after + 1, []).append(step)
            case Let(name=name, axes=axes):
                depth[name] = after
                if set(axes) <= rows:
                    row_steps.setdefault(after, []).append(step)
                else:
                    element_lets[name] = step
            case Store(axes=axes):
                place, where = (row_steps, after) if set(axes) <= rows else (elements, after + 1)
                place.setdefault(where, []).append(step)
    found = Passes(tuple(row_steps.get(0, ())), (), element_lets)
    numbered = range(1, max(elements, default=0) + 1)
    return replace(
        found, passes=tuple(Pass(_with_lets(spec, elements[n], found), tuple(row_steps.get(n, ()))) for n in numbered)
    )


def _with_lets(spec: Reduce, elements: list[Fold | Store], passes: Passes) -> tuple[Step, ...]:
    chosen = {id(s) for s in (*elements, *passes.needed(used_variables(elements)))}
    return tuple(s for s in (*spec.columns, *spec.steps) if id(s) in chosen)


def _depth(step: Step, known: Mapping[str, int]) -> int:
    names = {name for expr in step_expressions(step) for name in variables(expr)}
    return max((known[n] for n in names if n in known), default=0)

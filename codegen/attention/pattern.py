"""Recognising attention: contraction, softmax, contraction.

    s = sum over depth of q * k      a dot for each of rows and cols
    p = exp(s - hi), hi = max of s   what becomes of it, element by element, and folds over the cols
    y = sum over cols of p * v       sums over the cols

Found from the last of these backwards. What stands for a pair of a row and a col is taken in at the indices at which it is
read, so that one text gives dq (rows i, cols j) and dk (rows j, cols t and i, over the heads that share a key). Of what is
found, those stay that the machine takes and that have an order with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from uol.codegen.attention.softmax_shift import follows_maximum, subtracts_from_exponent
from uol.codegen.attention.value_products import WeightedSum, simplified, weighted_sums
from uol.codegen.indexing.arithmetic import static
from uol.codegen.names import taken_names, unused
from uol.codegen.partition.contraction import factors
from uol.codegen.specs.nodes import Dot, Fold, Let, Weighted
from uol.ir.integers.facts import Facts
from uol.ir.integers.terms import in_range
from uol.ir.program.nodes import Axis, Expr, Load, Program, Reduce, Scatter, Stage, Var
from uol.ir.program.walk import stage_expressions, substitute, variables, walk


@dataclass(frozen=True, slots=True)
class Pattern:
    """An `Attention` whose expressions are still those of the program.

    made     its sums and folds, as stages: what others may read
    scores   the dots and what becomes of them: tensors that are in no memory
    split    axes of stages that were split in two (heads that share a key), as expressions of the new ones
    """

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    cols: tuple[Axis, ...]
    dots: tuple[Dot, ...]
    steps: tuple[Let | Fold, ...]
    sums: tuple[Weighted, ...]
    made: tuple[Stage, ...]
    scores: frozenset[str]
    split: Mapping[str, Expr]

    @property
    def values(self) -> tuple[Expr, ...]:
        """Everything that it evaluates."""
        factors = (factor for d in self.dots for factor in (d.a, d.b))
        return (*factors, *(s.value for s in self.steps), *(s.value for s in self.sums))

    @property
    def outside(self) -> frozenset[str]:
        """The tensors that it reads from memory."""
        known = {d.name for d in self.dots} | {s.name for s in self.steps}
        return frozenset(load.tensor for value in self.values for load in _loads(value)) - known

    @property
    def axes(self) -> tuple[Axis, ...]:
        inner = (a for part in (*(d.depth for d in self.dots), *(s.width for s in self.sums)) for a in part)
        return tuple(dict.fromkeys((*self.batch, *self.rows, *self.cols, *inner)))

    @property
    def inside(self) -> frozenset[str]:
        """The stages that are nothing but parts of it."""
        return self.scores | {s.name for s in self.made}


def attention_around(program: Program, stage: Stage) -> Pattern | None:
    """The attention that a stage is a sum of, with all folds and further sums over the same rows and cols; or None."""
    taken = taken_names(program)
    return next((p for s in weighted_sums(stage, taken) if (p := _grown(program, stage, s, taken)) is not None), None)


def _grown(program: Program, stage: Stage, first: WeightedSum, taken: frozenset[str]) -> Pattern | None:
    if any(static(a.extent) == 0 for a in (*first.batch, *first.rows, *first.cols)):
        return None
    builder = _Builder.around(program, first, taken)
    if not builder.take_sum(stage, first):
        return None
    for other in program.stages:
        if builder.reads_scores(other) and other.name not in (*builder.at, *builder.sums):
            builder.take_sibling(other)
    return builder.pattern()


@dataclass(slots=True)
class _Builder:
    """Takes in stages, producers first. `dims`: the names of sizes that are arguments. `at`: the indices at which each was
    taken in."""

    stages: Mapping[str, Stage]
    taken: frozenset[str]
    first: WeightedSum
    facts: Facts
    dims: frozenset[str]
    dots: dict[str, Dot] = field(default_factory=dict)
    steps: dict[str, Let | Fold] = field(default_factory=dict)
    sums: dict[str, Weighted] = field(default_factory=dict)
    made: list[Stage] = field(default_factory=list)
    at: dict[str, tuple[Expr, ...]] = field(default_factory=dict)
    scores: set[str] = field(default_factory=set)

    @staticmethod
    def around(program: Program, first: WeightedSum, taken: frozenset[str]) -> _Builder:
        axes = (*first.batch, *first.rows, *first.cols, *first.width)
        facts = Facts((*program.facts, *(bound for a in axes for bound in in_range(a))))
        return _Builder({s.name: s for s in program.stages}, taken, first, facts, frozenset(program.dims))

    def reads_scores(self, stage: Stage) -> bool:
        """Does a stage read a score, or what is made of scores element by element?"""
        return any(self._is_made_of_scores(load.tensor) for load in _loads(stage.value))

    def _is_made_of_scores(self, tensor: str) -> bool:
        stage = self.stages.get(tensor)
        if tensor in self.scores or stage is None or isinstance(stage, Scatter) or isinstance(stage.value, Reduce):
            return tensor in self.scores
        return any(self._is_made_of_scores(load.tensor) for load in _loads(stage.value))

    def take_sum(self, stage: Stage, found: WeightedSum) -> bool:
        """A sum over the cols, if its weight becomes a value of rows and cols that a dot is behind."""
        names = {a.name: Var(b.name) for a, b in zip(found.cols, self.first.cols, strict=True)}
        weight, value = substitute(found.weight, names), substitute(found.value, names)
        assert isinstance(weight, Load)
        if not all(static(a.extent) != 0 and self._is_apart(a) for a in found.width):
            return False
        if not self.take(weight) or not isinstance(self.steps.get(weight.tensor), Let) or weight.tensor not in self.scores:
            return False
        self.sums[stage.name] = Weighted(stage.name, found.width, weight.tensor, value, stage.dtype, stage.line)
        self.made.append(stage)
        return True

    def take_sibling(self, stage: Stage) -> None:
        """One more fold or sum over the same rows and cols."""
        own = Load(stage.name, tuple(substitute(Var(a.name), self.first.split) for a in stage.axes), (), None, stage.dtype)
        if variables(own) == _names(self.first.batch + self.first.rows):
            self.take(own)
            return
        for found in weighted_sums(stage, self.taken):
            same = {(found.batch, found.rows), (self.first.batch, self.first.rows)}
            if len(same) == 1 and _extents(found.cols) == _extents(self.first.cols) and self.take_sum(stage, found):
                return

    def take(self, load: Load) -> bool:
        """Takes in what a tensor is made of, if it stands for a row and a col, or for a fold. What does not is read from
        memory. False where the same tensor is wanted at two places."""
        stage = self.stages.get(load.tensor)
        if stage is None:
            return True
        if load.tensor in self.at:
            return self.at[load.tensor] == load.index
        names, rows, cols = variables(load), _names(self.first.rows), _names(self.first.cols)
        if isinstance(stage, Scatter) or load.guard:
            return True
        if names & rows and names & cols:
            return self._take_dot(stage, load) if isinstance(stage.value, Reduce) else self._take_element(stage, load)
        is_own = load.index == tuple(substitute(Var(a.name), self.first.split) for a in stage.axes)
        return self._take_fold(stage, stage.value) if is_own and isinstance(stage.value, Reduce) else True

    def _take_element(self, stage: Stage, load: Load) -> bool:
        value = self._within(stage, load, stage.value)
        self.at[stage.name] = load.index
        if not all(self.take(inner) for inner in _loads(value)):
            return False
        self.steps[stage.name] = Let(stage.name, value, stage.dtype, (), stage.line)
        if self._is_of_scores(value):
            self.scores.add(stage.name)
        return True

    def _take_dot(self, stage: Stage, load: Load) -> bool:
        """An inner product of a row with a col; any other reduction stays in memory."""
        total = stage.value
        assert isinstance(total, Reduce)
        product = factors(total.body, gathers=True, guarded_by_data=True) if total.op == "sum" and not total.where else None
        if product is None or any(static(a.extent) == 0 for a in total.axes):
            return True
        depth = self._depth(total.axes)
        renamed: dict[str, Expr] = {a.name: Var(b.name) for a, b in zip(total.axes, depth, strict=True)}
        a, b = (self._within(stage, load, substitute(f, renamed)) for f in product)
        rows, cols = _names(self.first.rows), _names(self.first.cols)
        if variables(a) & cols:
            a, b = b, a
        seen, other, inner = variables(a) - self.dims, variables(b) - self.dims, _names(depth)
        common = inner | _names(self.first.batch)
        if not (seen <= common | rows and other <= common | cols and inner <= seen & other and seen & rows and other & cols):
            return True
        self.at[stage.name] = load.index
        self.dots[stage.name] = Dot(stage.name, depth, a, b, stage.dtype, stage.line)
        self.scores.add(stage.name)
        return True

    def _take_fold(self, stage: Stage, total: Reduce) -> bool:
        """A fold of scores over the cols, one value a row."""
        over = _names(self.first.batch + self.first.rows)
        own = variables(Load(stage.name, tuple(substitute(Var(a.name), self.first.split) for a in stage.axes), (), None, ""))
        if own != over or total.op not in ("max", "sum") or total.where or _extents(total.axes) != _extents(self.first.cols):
            return True
        names: dict[str, Expr] = {a.name: Var(b.name) for a, b in zip(total.axes, self.first.cols, strict=True)}
        body = simplified(substitute(substitute(total.body, names), self.first.split), self.facts)
        if not all(self.take(inner) for inner in _loads(body)):
            return False
        if self._is_of_scores(body):
            self.at[stage.name] = tuple(substitute(Var(a.name), self.first.split) for a in stage.axes)
            self.steps[stage.name] = Fold(stage.name, total.op, body, stage.dtype, (), stage.line)
            self.made.append(stage)
        return True

    def pattern(self) -> Pattern | None:
        """What was taken in, less what nothing needs; None where it is no softmax."""
        needed = self._needed()
        dots = tuple(d for d in self.dots.values() if d.name in needed)
        steps = tuple(s for s in self.steps.values() if s.name in needed)
        rows, cols = _names(self.first.rows), _names(self.first.cols)
        if not dots or not subtracts_from_exponent(steps, rows, cols) or not follows_maximum(steps, [*self.sums.values()]):
            return None
        return Pattern(
            self.first.batch,
            self.first.rows,
            self.first.cols,
            dots,
            steps,
            tuple(self.sums.values()),
            tuple(sorted(self.made, key=lambda s: s.name not in self.sums)),
            frozenset(self.scores & needed),
            self.first.split,
        )

    def _needed(self) -> frozenset[str]:
        """The names behind the weights and folds."""
        found: set[str] = set()
        pending = [s.weight for s in self.sums.values()] + [s.name for s in self.steps.values() if isinstance(s, Fold)]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += [load.tensor for load in _loads(self.steps[name].value)] if name in self.steps else []
        return frozenset(found)

    def _is_of_scores(self, value: Expr) -> bool:
        folds = {s.name for s in self.steps.values() if isinstance(s, Fold)}
        return any(load.tensor in self.scores | folds for load in _loads(value))

    def _depth(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The axes under names that mean nothing else here; an axis that is a width too keeps its name."""
        others = (*self.first.batch, *self.first.rows, *self.first.cols)
        same = {a.name: a for d in self.dots.values() for a in d.depth} | {a.name: a for a in self.first.width}
        taken = {a.name for a in others} | {a.name for a in axes if same.get(a.name, a) != a}
        return tuple(replace(a, name=unused(a.name, self.taken)) if a.name in taken else a for a in axes)

    def _is_apart(self, width: Axis) -> bool:
        """Does the name of a width mean nothing else here?"""
        inner = (a for part in (*(d.depth for d in self.dots.values()), *(s.width for s in self.sums.values())) for a in part)
        others = _names((*self.first.batch, *self.first.rows, *self.first.cols))
        return width.name not in others and all(a == width for a in inner if a.name == width.name)

    def _within(self, stage: Stage, load: Load, value: Expr) -> Expr:
        """A part of a stage at the indices of a load."""
        places: dict[str, Expr] = {a.name: i for a, i in zip(stage.axes, load.index, strict=True)}
        return simplified(substitute(value, places), self.facts)


def _loads(expr: Expr) -> list[Load]:
    return [node for node in walk(expr) if isinstance(node, Load)]


def _names(axes: Iterable[Axis]) -> frozenset[str]:
    return frozenset(a.name for a in axes)


def _extents(axes: Iterable[Axis]) -> list[Expr]:
    return [a.extent for a in axes]


Step = Stage | Pattern


def with_attentions(program: Program, accepts: Callable[[Pattern], bool]) -> tuple[Step, ...]:
    """The statements of a program, and in place of those that are parts of an attention the attention."""
    return in_order(program, find_attentions(program, accepts)) or program.stages


def find_attentions(program: Program, accepts: Callable[[Pattern], bool]) -> tuple[Pattern, ...]:
    """Every attention whose scores are read by attentions alone, that the machine accepts, and that waits for nothing that it
    makes itself."""
    found: list[Pattern] = []
    for stage in program.stages:
        if not any(stage.name in p.inside for p in found):
            pattern = attention_around(program, stage)
            found += [pattern] if pattern is not None and accepts(pattern) else []
    found = _with_scores_of_their_own(program, found)
    while in_order(program, found) is None:
        found = _with_scores_of_their_own(program, found[:-1])
    return tuple(found)


def _with_scores_of_their_own(program: Program, found: list[Pattern]) -> list[Pattern]:
    """Without those whose scores something else reads, until none is left."""
    kept = [p for p in found if _keeps_scores(program, p, found)]
    return kept if len(kept) == len(found) else _with_scores_of_their_own(program, kept)


def _keeps_scores(program: Program, pattern: Pattern, found: Sequence[Pattern]) -> bool:
    """Does nothing outside of attentions read the scores?"""
    inside = frozenset().union(*(p.inside for p in found))
    if any(program.tensors[name].role == "out" for name in pattern.scores) or any(p.outside & pattern.scores for p in found):
        return False
    return all(s.name in inside for s in program.stages if _reads(s) & pattern.scores)


def in_order(program: Program, patterns: Sequence[Pattern]) -> tuple[Step, ...] | None:
    """The stages that are no part of an attention, and the attentions as one step each, every step after what it reads and
    as early as in the program otherwise. None where one waits for itself."""
    pending: list[Step] = []
    makers = {stage.name: p for p in patterns for stage in p.made}
    scores = frozenset().union(*(p.scores for p in patterns))
    for stage in program.stages:
        step = makers.get(stage.name, stage)
        if isinstance(step, Pattern):
            pending = [s for s in pending if s is not step]
        if stage.name not in scores:
            pending.append(step)
    missing = {name for step in pending for name in _makes(step)}
    steps: list[Step] = []
    while pending:
        ready = next((s for s in pending if not _needs(s) & missing), None)
        if ready is None:
            return None
        pending = [s for s in pending if s is not ready]
        steps.append(ready)
        missing -= _makes(ready)
    return tuple(steps)


def _makes(step: Step) -> frozenset[str]:
    return frozenset(s.name for s in step.made) if isinstance(step, Pattern) else frozenset((step.name,))


def _needs(step: Step) -> frozenset[str]:
    return step.outside if isinstance(step, Pattern) else _reads(step)


def _reads(stage: Stage) -> frozenset[str]:
    return frozenset(n.tensor for e in stage_expressions(stage) for n in walk(e) if isinstance(n, Load))

"""No false proof: whatever the prover accepts is checked by trying every value."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from integer_questions import evaluate, holds, points, random_question
from random_ops import Case, typed_ops
from turns import by_turns

from uol.ir import BoundsError, Facts, Library, check, instantiate, parse
from uol.ir.integers.assumptions import Knowledge, at_least_zero
from uol.ir.integers.counterexample import refuted
from uol.ir.integers.fourier_motzkin import Elimination
from uol.ir.program.nodes import Axis, Call, Const, Expr, Load, Program, Reduce
from uol.ir.program.render import show
from uol.ir.program.walk import walk

TEXTS = Path(__file__).parent / "texts"
ACCESSES = parse((TEXTS / "accesses.uol").read_text(), "accesses.uol")
CORE = parse((TEXTS / "core.uol").read_text(), "core.uol")


@pytest.mark.parametrize("block", by_turns(2, range(4)))
def test_random_questions(block: int) -> None:
    proven = true = 0
    for seed in range(60 * block, 60 * (block + 1)):
        question = random_question(random.Random(seed))
        answer = holds(question)
        found = Facts(question.assumptions).prove(question.goal)
        assert answer or not found, f"seed {seed}: `{show(question.goal)}` was proven and is false"
        proven, true = proven + found, true + answer
    assert proven >= 0.7 * true > 0  # a prover that refuses all would pass the above


@pytest.mark.parametrize("block", by_turns(2, range(2)))
def test_each_prover_alone(block: int) -> None:
    """Elimination and the search for counterexamples, without the others in front of them."""
    proven = refuted_count = 0
    for seed in range(1000 + 300 * block, 1300 + 300 * block):
        question = random_question(random.Random(seed))
        known = Knowledge(question.assumptions)
        goal = at_least_zero(question.goal, known.ranges)
        assert goal is not None
        if Elimination(known).not_negative(goal):
            proven += 1
            assert holds(question), f"seed {seed}: `{show(question.goal)}`"
        if refuted(question.goal, known):
            refuted_count += 1
            assert not holds(question) or _beyond_the_limit(question.goal, known)
    assert proven > 30
    assert refuted_count > 125


def _beyond_the_limit(goal: Expr, known: Knowledge) -> bool:
    """The search reaches a little further than `points` does; then the two may differ."""
    return any(box.high is None or box.high > 5 for box in known.ranges.values())


@pytest.mark.parametrize("block", by_turns(2, range(2)))
def test_simplified_expressions_are_equal(block: int) -> None:
    changed = 0
    for seed in range(2000 + 75 * block, 2075 + 75 * block):
        question = random_question(random.Random(seed))
        left = question.goal.args[0]
        simple = Facts(question.assumptions).simplify(left)
        changed += simple != left
        for point in points(question):
            assert evaluate(simple, point) == evaluate(left, point), f"seed {seed}: `{show(left)}` became `{show(simple)}`"
    assert changed > 25


@pytest.mark.parametrize("op", [op for op in (*ACCESSES, *CORE) if op.name != "positions"], ids=lambda op: op.name)
def test_accepted_texts_stay_inside(op) -> None:
    """Every access of a symbolic program whose guards hold is inside, for small dims and attributes."""
    types = {t.variable: t.types[-1] for t in op.domain}
    program = instantiate(op, Library(), types=types, ranks={"S": 2}, defaults=False)
    rng = random.Random(0)
    tried = accesses = 0
    for _ in range(6000):
        sizes = {d: rng.randint(0, 4) for d in program.dims}
        try:
            if not all(evaluate(c, sizes) for c in (*program.facts, *program.checks) if not _has_scalar(c, program)):
                continue
        except ZeroDivisionError:
            continue
        tried += 1
        accesses += _assert_inside(program, sizes)
        if tried == 12:
            break
    assert tried == 12
    assert accesses > 0


@settings(max_examples=60, deadline=None)
@given(typed_ops(largest=4))
def test_random_operators_stay_inside(case: Case) -> None:
    op = parse(case.text)[0]
    for dims in ({}, case.dims):
        program = instantiate(op, Library(), types={"T": case.dtype}, dims=dims)
        _assert_inside(program, case.dims)


@settings(max_examples=20, deadline=None)
@given(typed_ops())
def test_random_operators_pass_the_checker(case: Case) -> None:
    check(parse(case.text)[0], Library())


def _has_scalar(condition: Expr, program: Program) -> bool:
    names = {s.name for s in program.scalars}
    return any(getattr(node, "name", None) in names for node in walk(condition))


def _assert_inside(program: Program, sizes: dict[str, int]) -> int:
    """Tries every index of every stage; a value read from memory may be anything, within and without the dim."""
    count = 0
    for stage in program.stages:
        count += _visit(program, stage.value, list(stage.axes), sizes)
    return count


def _visit(program: Program, expr: Expr, axes: list[Axis], sizes: dict[str, int]) -> int:
    count = 0
    match expr:
        case Reduce(axes=inner, body=body):
            return _visit(program, body, axes + list(inner), sizes)
        case Load():
            count += _try(program, expr, axes, sizes)
    for child in _operands(expr):
        count += _visit(program, child, axes, sizes)
    return count


def _operands(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Call(args=args):
            return args
        case Load(index=index, fill=fill):
            return (*index, *((fill,) if fill is not None else ()))
    return ()


def _try(program: Program, load: Load, axes: list[Axis], sizes: dict[str, int]) -> int:
    shape = [evaluate(d, sizes) for d in program.tensors[load.tensor].shape]
    spans = [range(max(0, evaluate(a.extent, sizes))) for a in axes]
    names = [a.name for a in axes]
    inner = sorted({n for e in (*load.index, *load.guard) for n in walk(e) if isinstance(n, Load)}, key=repr)
    count = 0
    for at in itertools.islice(itertools.product(*spans), 400):
        for memory in itertools.product((-1, 0, 1, 3, 100), repeat=len(inner)):
            values = _Point({**sizes, **dict(zip(names, at, strict=True))}, dict(zip(inner, memory, strict=True)))
            if all(values.of(g) for g in load.guard):
                count += 1
                index = [values.of(i) for i in load.index]
                assert all(0 <= i < n for i, n in zip(index, shape, strict=True)), (
                    f"{show(load)} at {values.point}: {index}, {shape}"
                )
    return count


class _Point:
    def __init__(self, point: dict[str, int], memory: dict[Expr, int]) -> None:
        self.point, self.memory = point, memory

    def of(self, expr: Expr) -> int:
        return evaluate(self._known(expr), self.point)

    def _known(self, expr: Expr) -> Expr:
        match expr:
            case Load():
                return Const(self.memory[expr])
            case Call(fn="cast", args=(a,)):
                return self._known(a)
            case Call(fn=fn, args=args, dtype=dtype):
                return Call(fn, tuple(map(self._known, args)), dtype)
        return expr


@pytest.mark.parametrize(
    "text",
    [
        "op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i + 1] }",
        "op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i - 1] }",
        "op f(x: f32[N]) -> (y: f32[N + 1]) { y[i] = x[i - 1] }",
        "op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[2*i] }",
        "op f(x: f32[N]; k: int) -> (y: f32[N]) { y[i] = x[(i + 1) % (k*k + 1)] }",
        "op f(x: f32[N]) -> (y: f32[N]) { y[i] = sum[j](select(j >= i, x[i - j] * x[j], 0)) }",
        "op f(x: f32[N]) -> (y: f32[N]) { y[i] = sum[j <= i + 1](x[j + 0]) }",
        "op f(x: f32[N]; s: int) -> (y: f32[N * s]) where s > 0 { y[i] = x[(i + 1) / s] }",
        "op f(x: f32[C], w: f32[O]; g: int) -> (y: f32[O]) where g > 0, C % g == 0 { y[o] = x[o / g] * w[o] }",
        "op f(x: f32[H]; k: int, s: int) -> (y: f32[(H - k + s - 1) / s + 1]) where s > 0 { y[p] = max[r < k](x[p*s + r]) }",
    ],
)
def test_wrong_accesses_are_refused(text: str) -> None:
    with pytest.raises(BoundsError):
        check(parse(text)[0], Library())


def test_a_memory_index_never_goes_unguarded() -> None:
    op = parse("op f(x: f32[N], at: u8[M]) -> (y: f32[M]) { y[m] = x[at[m]] }")[0]
    with pytest.raises(BoundsError):
        instantiate(op, Library(), types={}, dims={"N": 255})
    assert _guards(instantiate(op, Library(), types={}, dims={"N": 256})) == []  # a u8 is at most 255
    op = parse("op f(x: f32[N], at: i32[M]) -> (y: f32[M]) { y[m] = x[at[m]] else 0 }")[0]
    assert _guards(instantiate(op, Library(), types={}, dims={"N": 8})) == ["at[m] >= 0", "at[m] < 8"]


def _guards(program: Program) -> list[str]:
    return [show(g) for s in program.stages for n in walk(s.value) if isinstance(n, Load) for g in n.guard]


def test_the_reference_finds_a_false_proof() -> None:
    """The tests above can fail: an access without its guards is caught."""
    op = parse("op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i + 1] else 0 }")[0]
    program = instantiate(op, Library(), types={})
    assert _assert_inside(program, {"N": 3}) == 2
    (stage,) = program.stages
    load = next(n for n in walk(stage.value) if isinstance(n, Load))
    with pytest.raises(AssertionError, match="at"):
        _try(program, Load(load.tensor, load.index, (), None, load.dtype), list(stage.axes), {"N": 3})

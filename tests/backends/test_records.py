"""Records hold data alone: what was written comes back, and nothing else is taken."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

from uol.backends import registry
from uol.backends.cache.records import RecordError, Records
from uol.binding.named_binding import bind_names
from uol.codegen.backend import Module, Schedule
from uol.compilation.pipeline import generate
from uol.compilation.request import Request, resolve_target
from uol.ir.syntax.surface import Op
from uol.operators.registry import find_operator
from uol.ops.texts import library, text_of, written_gradients
from uol.ops.workloads import workloads_of


@dataclass(frozen=True, slots=True)
class Leaf:
    number: int


@dataclass(frozen=True, slots=True)
class Named(Leaf):
    name: str | None = None


class Kind(Protocol):
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Allowed:
    size: float


@dataclass(frozen=True, slots=True)
class Forbidden:
    path: str


@dataclass(frozen=True, slots=True)
class Tree:
    leaf: Leaf
    many: tuple[Leaf, ...]
    pair: tuple[int, str]
    role: Literal["in", "out"]
    sizes: Mapping[str, int]
    data: bytes
    flag: bool
    kind: Kind | None = None


RECORDS = Records(Tree, {Kind: (Allowed,)})  # type: ignore[type-abstract]
TREE = Tree(Leaf(3), (Named(1, "a"), Leaf(2)), (4, "\n\u20ac"), "in", {"S": 1}, b"\n\0\xff", True, Allowed(math.inf))


def shape(value: object) -> object:
    """The value with the type of every part, positions of texts included."""
    if is_dataclass(value):
        return type(value).__name__, [shape(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [shape(each) for each in value]
    if isinstance(value, Mapping):
        return {key: shape(each) for key, each in value.items()}
    return type(value).__name__, repr(value)


def test_what_was_written_comes_back() -> None:
    assert shape(RECORDS.decode(RECORDS.encode(TREE))) == shape(TREE)


def test_what_is_used_twice_is_written_once_and_is_one_again() -> None:
    leaf = Leaf(7)
    decoded = RECORDS.decode(RECORDS.encode(Tree(leaf, (leaf,) * 50, (1, ""), "out", {}, b"", False)))
    assert all(each is decoded.leaf for each in decoded.many)


@pytest.mark.parametrize("value", [0, -0.0, math.nan, -math.inf, 10**40, True, 1.0, 1])
def test_numbers_keep_their_type_and_every_bit(value: float) -> None:
    from uol.ir.program.nodes import Const

    decoded = Records(Const).decode(Records(Const).encode(Const(value, "f64")))
    assert (type(decoded.value), repr(decoded.value)) == (type(value), repr(value))


def test_every_operator_of_the_library_comes_back_with_its_positions() -> None:
    records = Records(Op)
    for op in (*library(), *written_gradients().values()):
        assert shape(records.decode(records.encode(op))) == shape(op)


@pytest.mark.parametrize("target", ["cpu", "cuda", "hip", "ascendc"])
@pytest.mark.parametrize("name", ["topk", "attention", "conv2d"])
def test_modules_come_back(target: str, name: str) -> None:
    workload = workloads_of(name)[0]
    instance = bind_names(find_operator(name), "f32", dict(workload.dims), dict(workload.attrs))
    module = generate(Request(instance, resolve_target(target)))
    records = Records(Module, {Schedule: registry.get(target).schedule_kinds})  # type: ignore[type-abstract]
    decoded = records.decode(records.encode(module))
    assert decoded == module
    assert shape(decoded) == shape(module)


def test_deep_expressions_need_no_deep_stack() -> None:
    from uol.ir.program.nodes import Call, Const

    value: Call | Const = Const(1)
    for _ in range(5000):
        value = Call("+", (value, Const(1)), "idx")
    decoded = Records(Call).decode(Records(Call).encode(value))  # type: ignore[arg-type]
    for _ in range(5000):
        decoded = decoded.args[0]  # type: ignore[assignment]
    assert repr(decoded) == "Const(value=1, dtype='idx')"


def document() -> dict[str, Any]:
    head, _, _ = RECORDS.encode(TREE).partition(b"\n")
    found: dict[str, Any] = json.loads(head)
    return found


def written(changed: dict[str, Any]) -> bytes:
    return json.dumps(changed).encode() + b"\n" + TREE.data


def row_of(changed: dict[str, Any], name: str) -> list[Any]:
    number = changed["types"].index(f"{__name__}.{name}")
    found: list[Any] = next(row for row in changed["rows"] if row[0] == number)
    return found


def replaced(name: str, at: int, value: object) -> bytes:
    changed = document()
    row_of(changed, name)[at] = value
    return written(changed)


def renamed(name: str, other: str) -> bytes:
    changed = document()
    changed["types"] = [other if each == f"{__name__}.{name}" else each for each in changed["types"]]
    return written(changed)


HOSTILE = {
    "nothing": lambda: b"",
    "no line": lambda: b"{}",
    "pickle": lambda: __import__("pickle").dumps(TREE),
    "another document": lambda: b'{"types": [], "rows": []}\n',
    "no rows": lambda: written({**document(), "rows": []}),
    "rows of no list": lambda: written({**document(), "rows": [3]}),
    "nested without end": lambda: b"[" * 100_000 + b"\n",
    "a function of a module": lambda: renamed("Leaf", "os.system"),
    "a type of a module": lambda: renamed("Leaf", "pathlib.Path"),
    "a dataclass that no field is declared with": lambda: renamed("Leaf", f"{__name__}.Forbidden"),
    "another kind": lambda: renamed("Allowed", f"{__name__}.Leaf"),
    "a subclass of another type": lambda: renamed("Leaf", f"{__name__}.Allowed"),
    "text for a number": lambda: replaced("Named", 1, "1"),
    "a truth value for a number": lambda: replaced("Named", 1, True),
    "a number for a truth value": lambda: replaced("Tree", 7, 1),
    "a fraction for a number": lambda: replaced("Named", 1, 1.5),
    "null": lambda: replaced("Tree", 5, None),
    "a role that is none": lambda: replaced("Tree", 4, "inout"),
    "a row that comes later": lambda: replaced("Tree", 1, [10**6]),
    "a row before the first": lambda: replaced("Tree", 1, [-1]),
    "a reference that is none": lambda: replaced("Tree", 1, ["0"]),
    "an object": lambda: replaced("Tree", 1, {"number": 3}),
    "the leaf as bytes": lambda: replaced("Tree", 6, row_of(document(), "Tree")[1]),
    "too few fields": lambda: written({**document(), "rows": [row[:-1] for row in document()["rows"]]}),
    "too many fields": lambda: written({**document(), "rows": [[*row, 0] for row in document()["rows"]]}),
    "a type without a name": lambda: written({**document(), "rows": [[99, *row[1:]] for row in document()["rows"]]}),
    "a kind of row that there is not": lambda: written({**document(), "rows": [[-9, 1]]}),
    "bytes that are not there": lambda: written(document())[:-1],
    "a part for the whole": lambda: written({**document(), "rows": document()["rows"][:-1]}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_anything_else_is_refused(what: str) -> None:
    with pytest.raises(RecordError, match="no record of Tree"):
        RECORDS.decode(HOSTILE[what]())


def test_damage_is_refused_or_makes_a_tree() -> None:
    """Never another exception, never another type."""
    generator = random.Random(0)
    whole = RECORDS.encode(TREE)
    refused = 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(generator.randrange(1, 4)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            assert type(RECORDS.decode(bytes(data))) is Tree
        except RecordError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize("value", [{1, 2}, [1], Path("x"), object(), lambda: 0])
def test_what_a_record_cannot_hold_is_not_written(value: object) -> None:
    with pytest.raises(TypeError, match="a record cannot hold"):
        RECORDS.encode(Tree(value, (), (1, ""), "in", {}, b"", True))  # type: ignore[arg-type]


def test_a_text_that_was_parsed_is_not_parsed_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from uol.ir import parse
    from uol.ops import trees

    text = text_of("exponential")
    expected = {op.name: shape(op) for op in parse(text, "exponential.uol")}
    assert {name: shape(op) for name, op in trees.trees_of(text, "exponential.uol").items()} == expected
    monkeypatch.setattr(trees, "_parsed", lambda text, file: pytest.fail("it was parsed"))
    assert {name: shape(op) for name, op in trees.trees_of(text, "exponential.uol").items()} == expected


@pytest.mark.parametrize(("text", "file"), [("op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] * 2 }", "a"), (None, "b")])
def test_another_text_or_file_has_other_trees(text: str | None, file: str, own_cache: Path) -> None:
    from uol.ops.trees import trees_of

    first = "op f(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + 1 }"
    before = trees_of(first, "a")["f"]
    after = trees_of(text or first, file)["f"]
    assert shape(after) != shape(before)
    assert (after == before) == (text is None)
    assert shape(trees_of(first, "a")["f"]) == shape(before)

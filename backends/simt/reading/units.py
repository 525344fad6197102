"""Which unit a statement of an emitted kernel is for, and the operations that it has.

    f16-matrix, bf16-matrix, ...        a product on matrix units
    special      a function that no unit does in one step, or a quotient of floats
    f64-vector, f32-vector, integer     arithmetic, comparisons, extrema of such values
    memory       a move to or from memory, nothing computed but the index
    move         any other: a register gets a value

A statement is of the first of these that it has outside of brackets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from uol.backends.simt.machine import fragments
from uol.backends.simt.machine.matrix_primitives import MEMORY
from uol.backends.simt.reading.syntax import Branch, Element, KernelText, Loop, Name, Node, Number, Operation, Simple, Statement
from uol.codegen.work import SPECIAL

MATRIX_UNITS = tuple(dict.fromkeys(unit.rate for unit in fragments.UNITS.values()))
UNITS = (*MATRIX_UNITS, "special", "f64-vector", "f32-vector", "integer")
STATEMENT_UNITS = (*UNITS, "memory", "move")
TRUTH = frozenset(["<", "<=", ">", ">=", "==", "!=", "&&", "||", "!_"])
ARITHMETIC = TRUTH | {"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "-_", "~_", "++"}
FUNCTIONS = frozenset(
    ["min", "max", "abs", "floor", "ceil", "round", "floor_div", "floor_mod", "pick_max", "pick_min", "composed", "precedes",
     "sorts_before", "bit_and", "bit_or", "bit_xor", "bit_not", "shift_left", "shift_right", "random_bits", "random_words",
     "pack_f16", "pack_bf16", "low_halves", "high_halves", "greatest", "fused"]
)
"""Of `uol_device.h` and `uol_matrix.h`, one operation each."""
SPECIAL_UNITS = SPECIAL | {"exp2_flushed"}
FLOATS = ("float", "f16", "bf16", "f8e4m3", "f8e5m2")
PLACES = ("int", "long long")
"""Types of indices, the wider ones last."""
FOLDS = ("group_fold", "strided_fold", "block_")
"""What calls of the device header that fold over threads begin with: `calls.py` says what they issue."""

Types = Mapping[str, str]


def types_of(kernel: KernelText) -> dict[str, str]:
    """The type of every name that a kernel declares; of an array and a vector, that of its elements. `*name` is there for a
    tensor, whose name stands for its address where it has no index."""
    found = {p.name: p.dtype for p in kernel.parameters}
    for step in simple_statements(kernel.body):
        if step.dtype and isinstance(step.target, Name):
            found[step.target.name] = arguments_of(step.dtype, "Vector")[0]
    found |= {p.name: p.dtype for p in kernel.own}
    return found | {f"*{p.name}": f"{p.dtype}*" for p in kernel.tensors}


def vectors_of(kernel: KernelText) -> dict[str, int]:
    """How many elements each vector has that a kernel declares."""
    steps = [step for step in simple_statements(kernel.body) if isinstance(step.target, Name)]
    parts = {step.target.name: arguments_of(step.dtype, "Vector") for step in steps if isinstance(step.target, Name)}
    return {name: int(found[1]) for name, found in parts.items() if len(found) > 1}


def memory_of(kernel: KernelText) -> frozenset[str]:
    """The names of the tensors and the shared arrays of a kernel, and of what points to its dynamic shared memory."""
    declared = ((s, s.target.name) for s in kernel.body if isinstance(s, Simple) and isinstance(s.target, Name))
    shared = (name for s, name in declared if s.shared or (isinstance(s.value, Operation) and s.value.fn == "dynamic_shared"))
    return frozenset((*(p.name for p in kernel.tensors), *shared))


def places_in(kernel: KernelText) -> frozenset[str]:
    """The tensors that a kernel does not write whose elements may say where others lie."""
    return frozenset(p.name for p in kernel.parameters if p.pointer and p.constant and p.dtype in PLACES)


def simple_statements(body: Iterable[Statement]) -> Iterator[Simple]:
    """The declarations, assignments and calls of a text, those of the headers of loops apart."""
    for statement in body:
        match statement:
            case Simple():
                yield statement
            case Loop(body=inner) | Branch(body=inner):
                yield from simple_statements(inner)


def is_counted(step: Simple) -> bool:
    """Does the statement compute or move anything? A barrier, and a declaration without a value, do not."""
    return step.value is not None and not (isinstance(step.value, Operation) and step.value.fn == "__syncthreads")


def unit_of(step: Simple, types: Types, memory: frozenset[str]) -> str:
    """The unit of a statement; `memory` are the names of tensors and shared arrays."""
    counted = operations_in(step, types, indices=False)
    first = next((unit for unit in UNITS if counted[unit]), None)
    if first is not None:
        return first
    nodes = [n for part in _roots(step) for n in _nodes(part, True)]
    touched = any(n.array in memory if isinstance(n, Element) else _moves(n) for n in nodes)
    return "memory" if touched else "move"


def _moves(node: Node) -> bool:
    """Is it a call that moves something to or from memory?"""
    return vector_access(node) is not None or (isinstance(node, Operation) and node.fn in MEMORY)


def operations_in(step: Simple, types: Types, *, indices: bool = True) -> Counter[str]:
    """How many operations of each unit stand in a statement, those within brackets too, if wanted."""
    found: Counter[str] = Counter()
    for part in _roots(step):
        found += operations_of(part, types, indices=indices)
    if step.update not in ("", "=") and step.target is not None:
        found[class_of(type_of(step.target, types))] += 1
    return found


def operations_of(node: Node, types: Types, *, indices: bool = True) -> Counter[str]:
    """The same of an expression."""
    return Counter(unit for each in _nodes(node, indices) if (unit := unit_of_node(each, types)))


def vector_access(node: Node) -> tuple[str, str, Node] | None:
    """"load" or "store", the tensor and the first element, where a node is a call for several elements side by side."""
    match node:
        case Operation(fn="load_vector" | "store_vector" as fn, args=(Name(name=tensor), at, *_)):
            return fn.removesuffix("_vector"), tensor, at
    return None


def _roots(step: Simple) -> tuple[Node, ...]:
    return tuple(part for part in (step.target, step.value) if part is not None)


def _nodes(node: Node, indices: bool) -> Iterator[Node]:
    yield node
    children = node.args if isinstance(node, Operation) else node.index if isinstance(node, Element) and indices else ()
    for child in children:
        yield from _nodes(child, indices)


def unit_of_node(node: Node, types: Types) -> str | None:
    """The unit of an operation, without its operands; None where it is none."""
    if not isinstance(node, Operation) or node.fn.startswith("."):
        return None
    if node.fn in fragments.UNITS:
        return fragments.UNITS[node.fn].rate
    operands = class_of(_widest(type_of(a, types) for a in node.args))
    if node.fn in SPECIAL_UNITS and (node.fn != "/" or operands != "integer"):
        return "special"
    return operands if node.fn in ARITHMETIC or node.fn in FUNCTIONS else None


def type_of(node: Node, types: Types) -> str:
    """The type of an expression."""
    match node:
        case Number(dtype=dtype):
            return dtype
        case Name(name=name):
            return types.get(name, "int")
        case Element(array=name):
            return types.get(name, "int").removesuffix("*")
        case Operation(fn="+" | "-", args=(Name(name=name), _)) if f"*{name}" in types:
            return types[f"*{name}"]
        case Operation(fn="cast" | "{}", dtype=dtype) if dtype:
            return dtype
        case Operation(fn="cast" | "infinity" | "nan" | "lowest" | "highest", parameters=(first, *_)):
            return first.replace("uol::", "").replace(" ", "") if "uol" in first else first
        case Operation(fn=fn) if fn in TRUTH:
            return "bool"
        case Operation(fn="?:", args=(_, yes, no)):
            return _widest((type_of(yes, types), type_of(no, types)))
        case Operation(fn=fn, args=(inner,)) if fn.startswith("."):
            return _member(type_of(inner, types), fn)
        case Operation(args=(first_arg, *_), fn=fn) if fn.startswith(FOLDS):
            return type_of(first_arg, types)
        case Operation(args=args):
            return _widest(type_of(a, types) for a in args)


def _member(record: str, member: str) -> str:
    """Of `Pick<float, int>`: its value's type, or its index's."""
    return members(record)[0 if member == ".value" else 1] if record.startswith("Pick<") else "int"


def members(dtype: str) -> tuple[str, ...]:
    """The types within a `Pick` or an `Affine`; of any other, itself."""
    if dtype.startswith("Affine<"):
        return 2 * arguments_of(dtype, "Affine")
    return arguments_of(dtype, "Pick")


def arguments_of(dtype: str, record: str) -> tuple[str, ...]:
    """The template arguments of a record's type, without namespaces; of any other type, itself."""
    inner = dtype.removeprefix(f"{record}<")
    if inner == dtype:
        return (dtype,)
    parts = re.split(r", (?![^<]*>)", inner[:-1])  # a comma within brackets is a part's own
    return tuple(re.sub(r"uol:: ?|(?<=<) ", "", part) for part in parts)


def _widest(dtypes: Iterable[str]) -> str:
    found = [d.split("<")[-1].split(",")[0].rstrip(">") for d in dtypes]
    return next((d for d in ("double", *FLOATS, "long long", "unsigned long long") if d in found), "int")


def class_of(dtype: str) -> str:
    """The unit of arithmetic on a C type."""
    return "f64-vector" if dtype == "double" else "f32-vector" if dtype in FLOATS else "integer"

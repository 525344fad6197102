"""Is a kernel well formed? Asked of every kernel before it is printed; a refusal is a fault of the compiler.

names     declared once, where no other of that name is seen, and before they are used
types     a variable gets values of its kind, a tensor those of its elements, conditions are true or false, bounds are indices
memory    no more of it shared than the kernel's footprint says
barriers  one between a write of shared memory and what another thread may read there, and the other way round;
          none where some threads of a block do not come
copies    what is asynchronous is waited for, and behind that a barrier, before fragments are loaded: by then at most as many
          groups are on their way as were committed behind the one that is needed
fragments of the shapes that a matrix unit has
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from uol.backends.simt.c_text.terms import Address, Element, Kind, Known, Pointer, Scalar
from uol.backends.simt.kernel.counts import shared_bytes
from uol.backends.simt.kernel.nodes import (
    Assign,
    Barrier,
    Body,
    Commit,
    CopyAsync,
    Declare,
    If,
    Kernel,
    Leave,
    LoadMatrix,
    Loop,
    Multiply,
    Runs,
    Statement,
    Store,
    Wait,
    Written,
    inner_bodies,
    loop_variables,
    statements_of,
    values_of,
)
from uol.backends.simt.kernel.uses import (
    MACHINE,
    KernelError,
    accesses_in,
    array_of,
    kind_of,
    primitives_in,
    root_of,
    tensor_name,
    used_names,
    variables_in,
)
from uol.ir.program.nodes import Expr
from uol.ir.types import INDEX

MATRICES = 4
"""That are loaded at once, a register of each lane for each (PTX ISA, ldmatrix, .x4)."""
INDICES = frozenset({INDEX, "i64", "i32"})
"""Types that an index may be declared as: of the kernel's, or of 64 bits where data says it needs them."""


def verify(kernel: Kernel, lanes: int, most_shared_bytes: int) -> None:
    """Raises KernelError, which says what is wrong in which statement, and at which line of the operator. `lanes` of a warp;
    `most_shared_bytes` are those that the footprint of the kernel has."""
    if (needed := shared_bytes(kernel, lanes)) > most_shared_bytes:
        raise KernelError(f"{needed} bytes of shared memory are more than the {most_shared_bytes} of its footprint")
    known: dict[str, Kind | None] = dict.fromkeys(MACHINE)
    known |= {buffer.name: None for buffer in kernel.buffers} | dict(kernel.scalars)
    _Names(kernel).body(kernel.body, known)
    shared = frozenset(buffer.name for buffer in kernel.buffers if buffer.memory == "shared")
    _Shared(shared).body(kernel.body)
    _Together().body(kernel.body, apart=False)
    _Copies().body(kernel.body)
    _fragments(kernel.body)


def _refuse(reason: str, statement: Statement) -> KernelError:
    line = getattr(statement, "line", None)
    where = f" (line {line} of the operator)" if line else ""
    return KernelError(f"{reason}, in {type(statement).__name__}{where}")


class _Names:
    """Names and types."""

    def __init__(self, kernel: Kernel) -> None:
        self.written = {buffer.name: buffer.written for buffer in kernel.buffers}

    def body(self, body: Body, outer: Mapping[str, Kind | None]) -> None:
        known = dict(outer)
        for statement in body:
            self.statement(statement, known)
            inner = {**known, **dict.fromkeys(loop_variables(statement), Scalar(INDEX))}
            for each in inner_bodies(statement):
                self.body(each, inner)

    def statement(self, statement: Statement, known: dict[str, Kind | None]) -> None:
        if isinstance(statement, Written):
            raise _refuse(f"{statement.text!r} is text, not a statement", statement)
        seen = {**known, **dict.fromkeys(loop_variables(statement), Scalar(INDEX))} if isinstance(statement, Runs) else known
        for each in values_of(statement):
            for used in used_names(each):
                if used not in seen:
                    raise _refuse(f"{used} is used and not declared", statement)
            _locals_agree(each, seen, statement)
        for name in (statement.name,) if isinstance(statement, Declare) else loop_variables(statement):
            if name in known:
                raise _refuse(f"{name} is declared twice", statement)
        self.kinds(statement)
        if isinstance(statement, Declare):
            known[statement.name] = statement.kind

    def kinds(self, statement: Statement) -> None:
        """Are values of the kinds of what they become?"""
        match statement:
            case Declare(kind=kind, value=value):
                self.agree(kind, value, statement)
            case Assign(target=target, value=value, how=how, when=when):
                moves = how == "+=" and isinstance(kind_of(target), Address)
                self.agree(Scalar(INDEX) if moves else kind_of(target), value, statement)
                self.conditions(() if when is None else (when,), statement)
            case Store(target=target, value=value, when=when):
                self.store(target, value, statement)
                self.conditions(() if when is None else (when,), statement)
            case If(condition=condition) | Leave(when=condition):
                self.conditions((condition,), statement)
            case Loop(first=first, extent=extent):
                for bound in (first, extent):
                    self.agree(Scalar(INDEX), bound, statement)
            case Runs(begin=begin, end=end):
                for bound in (begin, end):
                    self.agree(Scalar(INDEX), bound, statement)

    def agree(self, kind: Kind | None, value: Expr | None, statement: Statement) -> None:
        """Is a value of a kind?"""
        found = None if value is None else kind_of(value)
        if kind is None or found is None or found == kind or {_dtype(found), _dtype(kind)} <= INDICES:
            return
        if _dtype(found) != _dtype(kind) or _dtype(kind) is None:
            raise _refuse(f"{found} is no {kind}", statement)

    def store(self, target: Expr, value: Expr, statement: Statement) -> None:
        """Is the tensor written at all, and of this type?"""
        self.agree(kind_of(target), value, statement)
        match target:
            case Known(expr=Element(of=Element(of=Pointer(tensor=tensor), index=outer), index=index), printer=printer):
                self.place(tensor_name(tensor, printer), (outer, index), statement)
            case Known(expr=Element(of=Pointer(tensor=tensor), index=index), printer=printer):
                self.place(tensor_name(tensor, printer), (index,), statement)
            case _:
                raise _refuse("what is stored to is no element of a tensor", statement)

    def place(self, tensor: str, index: Iterable[Expr], statement: Statement) -> None:
        if not self.written.get(name := root_of(tensor), True):
            raise _refuse(f"{name} is written, and is an input", statement)
        for each in index:
            self.agree(Scalar(INDEX), each, statement)

    def conditions(self, conditions: Iterable[Expr], statement: Statement) -> None:
        for each in conditions:
            self.agree(Scalar("bool"), each, statement)


def _dtype(kind: Kind) -> str | None:
    return kind.dtype if isinstance(kind, Scalar) else None


def _locals_agree(value: Expr, known: Mapping[str, Kind | None], statement: Statement) -> None:
    """Are variables used as what they were declared as?"""
    for name, kind in variables_in(value):
        declared = known.get(name)
        if declared is None or kind == declared or {_dtype(kind), _dtype(declared)} <= INDICES:
            continue
        if _dtype(kind) is None or _dtype(kind) != _dtype(declared):
            raise _refuse(f"{name} is used as {kind} and is {declared}", statement)


Pending = dict[str, set[tuple[Expr, ...]]]
"""The indices at which each array was touched, by its name."""


@dataclass(slots=True)
class _Shared:
    """Shared memory that was written, or read, since the last barrier."""

    arrays: frozenset[str]
    written: Pending = field(default_factory=dict)
    read: Pending = field(default_factory=dict)

    def body(self, body: Body) -> None:
        for statement in body:
            self.statement(statement)
            for _ in (1, 2) if isinstance(statement, Loop | Runs) else (1,):  # what a turn leaves meets the next
                for inner in inner_bodies(statement):
                    self.body(inner)

    def statement(self, statement: Statement) -> None:
        if isinstance(statement, Barrier):
            self.written, self.read = {}, {}
            return
        values = values_of(statement)
        target = statement.target if isinstance(statement, Store) else None
        for value in values:
            for access in accesses_in(value):
                if access.array in self.arrays and access.index is not None:
                    self.touch(access.array, access.index, statement, writes=value is target)

    def touch(self, array: str, index: tuple[Expr, ...], statement: Statement, *, writes: bool) -> None:
        """A thread may read where it wrote itself."""
        others = (self.written, self.read) if writes else (self.written,)
        if any(found - {index} for each in others if (found := each.get(array))):
            what = "written" if writes else "read"
            raise _refuse(f"{array} is {what} with no barrier behind what other threads do there", statement)
        (self.written if writes else self.read).setdefault(array, set()).add(index)


@dataclass(slots=True)
class _Together:
    """Which names differ between the threads of a block, and whether all threads come."""

    differ: set[str] = field(default_factory=lambda: {"threadIdx"})
    left: bool = False

    def differs(self, *values: Expr) -> bool:
        return any(name in self.differ for value in values for name in used_names(value))

    def body(self, body: Body, *, apart: bool) -> None:
        """`apart`: some threads may not come here."""
        for statement in body:
            self.meets(statement, apart or self.left)
            match statement:
                case Declare(name=name, value=value) if value is not None:
                    self.differ.discard(name)
                    self.sets(name, value, differs=apart or self.differs(value))
                case Assign(target=target, value=value):
                    self.sets(array_of(target), value, differs=apart or self.left or self.differs(*values_of(statement)))
                case Loop(body=inner) | Runs(body=inner):
                    self.loop(loop_variables(statement), inner, apart=apart, differs=self.differs(*values_of(statement)))
                case If(condition=condition, body=inner):
                    self.body(inner, apart=apart or self.differs(condition))
                case Leave(when=when):
                    self.left = self.left or apart or self.differs(when)
                case _:
                    for inner in inner_bodies(statement):
                        self.body(inner, apart=apart)

    def loop(self, variables: Iterable[str], body: Body, *, apart: bool, differs: bool) -> None:
        """Who leaves a loop comes behind it; who leaves the kernel does not. What a turn leaves meets the next."""
        self.differ -= {*variables}
        self.differ |= {*variables} if differs else set()
        before = self.left
        for _ in (1, 2):
            self.body(body, apart=apart or differs)
        leaves = (s for s in statements_of(body) if isinstance(s, Leave))
        self.left = self.left if any(s.what == "return" for s in leaves) else before

    def sets(self, name: str, value: Expr, *, differs: bool) -> None:
        """A fold over a block is one for all of its threads."""
        if any(each.name.startswith("block_") for each in primitives_in(value)):
            self.differ.discard(name)
        elif differs:
            self.differ.add(name)

    def meets(self, statement: Statement, apart: bool) -> None:
        calls = (each for value in values_of(statement) for each in primitives_in(value))
        is_met = isinstance(statement, Barrier) or any(each.name.startswith("block_") for each in calls)
        if is_met and apart:
            raise _refuse("threads of a block meet where some of them may not come", statement)


@dataclass(slots=True)
class _Copies:
    """Asynchronous copies on their way: `committed` groups in front of a loop, of which each turn takes the oldest and commits
    one more; `loose`: copies of no group yet; `arrived`: has a barrier come behind the last wait; `asked`: was there one?"""

    committed: int = 0
    waited: bool = True
    arrived: bool = True
    loose: bool = False
    asked: bool = False

    def body(self, body: Body) -> None:
        for statement in body:
            match statement:
                case CopyAsync():
                    self.loose = True
                case Commit():
                    self.committed, self.loose = self.committed + 1, False
                case Wait(pending=pending):
                    self.wait(pending, statement)
                case Barrier():
                    self.arrived = self.waited
                case LoadMatrix() if self.committed and not (self.asked and self.arrived):
                    raise _refuse("a fragment is loaded before its copies are waited for, and a barrier", statement)
                case Loop(body=inner):
                    self.turn(inner)
                case _:
                    for inner in inner_bodies(statement):
                        self.body(inner)

    def wait(self, pending: int, statement: Statement) -> None:
        """The oldest of the groups must have come."""
        if self.loose:
            raise _refuse("copies that are of no group are not waited for", statement)
        if self.committed and pending >= self.committed:
            raise _refuse(f"{self.committed} groups are on their way, and {pending} may be after the wait", statement)
        self.waited, self.arrived, self.asked = True, False, True

    def turn(self, body: Body) -> None:
        """A turn of a loop takes one group and commits one; what it needs is not there before its own wait."""
        waits = any(isinstance(each, Wait) for each in statements_of(body))
        if waits:
            self.waited = self.arrived = False
        ahead = self.committed
        self.body(body)
        if waits and self.committed - ahead not in (0, 1):
            raise _refuse(f"{self.committed - ahead} groups are committed in a turn, for one that is waited for", body[0])
        self.committed = ahead


def _fragments(body: Body) -> None:
    """Have the arrays of registers the shapes of a unit's fragments? All are declared within the kernel."""
    statements = list(statements_of(body))
    shapes = {s.name: s.extent for s in statements if isinstance(s, Declare) and isinstance(s.extent, tuple)}
    for statement in statements:
        match statement:
            case Multiply(unit=unit, d=d, a=a, b=b):
                for operand, owned in ((d, unit.d), (a, unit.a), (b, unit.b)):
                    shape = shapes.get(array_of(operand), ())
                    if not shape or shape[-1] % owned.registers:
                        raise _refuse(f"{array_of(operand)} has no fragments of {owned.registers} registers", statement)
            case LoadMatrix(target=target):
                if shapes.get(array_of(target), (0,))[-1] != MATRICES:
                    raise _refuse(f"{array_of(target)} has no room for {MATRICES} matrices", statement)

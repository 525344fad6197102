"""Statements as C: one form for each node. What CUDA and HIP call differently is in their device headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from uol.backends.c_text.index_intervals import Ranges
from uol.backends.c_text.names import Names
from uol.backends.simt.c_text.printer import EQUALITY, RELATION, Printer
from uol.backends.simt.c_text.proofs import Proofs
from uol.backends.simt.c_text.terms import Address, ctype_of
from uol.backends.simt.kernel.nodes import (
    Assign,
    Barrier,
    Block,
    Body,
    Buffer,
    Commit,
    CopyAsync,
    Declare,
    Do,
    If,
    Kernel,
    Leave,
    LoadMatrix,
    Loop,
    Multiply,
    PerWarp,
    Runs,
    Statement,
    Store,
    Wait,
    Written,
)
from uol.ir.program.nodes import Expr

WIDTH = 100
"""Longer statements break."""


def printed(body: Iterable[Statement], index_type: str) -> list[str]:
    """Statements as lines. What names a spec's variables is `Known`: it brings a printer along."""
    lines = _Lines(Printer(Names({}, {}), Proofs(Ranges({})), index_type))
    return [line for statement in body for line in lines.of(statement)]


def printed_kernel(kernel: Kernel) -> list[str]:
    """The lines between the braces of a kernel."""
    arrays = (buffer for buffer in kernel.buffers if buffer.memory == "shared")
    return indented([*(_array(array, kernel.index_type) for array in arrays), *printed(kernel.body, kernel.index_type)])


def indented(lines: Iterable[str]) -> list[str]:
    """One level further; lines of the preprocessor stand where a line begins."""
    return [line if line.startswith("#") else f"  {line}" for line in lines]


def _array(array: Buffer, index_type: str) -> str:
    elements = array.elements
    extents = f"[{elements.threads} / uol::warp_width]" if isinstance(elements, PerWarp) else _extents(elements)
    return f"__shared__ {ctype_of(array.kind, index_type)} {array.name}{extents};"


def _extents(extent: int | tuple[int, ...] | None) -> str:
    """What stands behind the name of an array."""
    extents = () if extent is None else extent if isinstance(extent, tuple) else (extent,)
    return "".join(f"[{each}]" for each in extents)


class _Lines:
    """The lines of a statement."""

    def __init__(self, printer: Printer) -> None:
        self.printer = printer

    def value(self, expr: Expr, level: int = 0) -> str:
        return self.printer.value(expr, level)

    def of(self, statement: Statement) -> Iterator[str]:
        match statement:
            case Loop():
                yield from self.loop(statement)
            case Runs():
                yield from self.runs(statement)
            case If(condition=condition, body=body, otherwise=otherwise):
                yield from self.choice(f"if ({self.value(condition)}) ", body, otherwise)
            case Block(body=body):
                yield from self.braces("", body)
            case Written(text=text):
                yield text
            case Declare(line=line) | Assign(line=line) | Store(line=line) | Do(line=line):
                yield from broken(self.simple(statement), f"  // line {line}" if line else "")
            case _:
                yield self.simple(statement)

    def simple(self, statement: Statement) -> str:
        match statement:
            case Declare(name=name, kind=kind, value=value, extent=extent, constant=constant, zeroed=zeroed):
                ctype, what = ctype_of(kind, self.printer.index_type), f"{name}{_extents(extent)}"
                if value is None:
                    return f"{ctype} {what}{' = {}' if zeroed else ''};"
                if constant:
                    ctype = f"{ctype} const" if isinstance(kind, Address) else f"const {ctype}"
                return f"{ctype} {what} = {self.value(value)};"
            case Assign(target=target, value=value, how=how, when=when):
                return f"{self.guard(when)}{self.value(target)} {how} {self.value(value)};"
            case Store(target=target, value=value, when=when):
                return f"{self.guard(when)}{self.value(target)} = {self.value(value)};"
            case Do(call=call):
                return f"{self.value(call)};"
            case Leave(what=what, when=when):
                return f"if ({self.value(when)}) {what};"
            case Barrier():
                return "__syncthreads();"
        return self.of_matrices(statement)

    def of_matrices(self, statement: Statement) -> str:
        """Calls of the header of matrix units."""
        match statement:
            case CopyAsync(to=to, source=source, bytes=size, valid=valid):
                where = "" if valid is None else f", {self.value(valid)}"
                return f"uol::copy_async<{size}>({self.value(to)}, {self.value(source)}{where});"
            case Commit():
                return "uol::commit_copies();"
            case Wait(pending=pending):
                return f"uol::wait_copies<{pending}>();"
            case LoadMatrix(target=target, at=at, transposed=transposed):
                return f"uol::load_matrices{'_transposed' if transposed else ''}({self.value(target)}, {self.value(at)});"
            case Multiply(unit=unit, d=d, a=a, b=b):
                return f"uol::{unit.name}({', '.join(map(self.value, (d, a, b)))});"
        raise TypeError(f"no line for {statement}")

    def guard(self, when: Expr | None) -> str:
        return "" if when is None else f"if ({self.value(when)}) "

    def loop(self, loop: Loop) -> Iterator[str]:
        """Loops right within each other share their braces."""
        if loop.unrolled or loop.times is not None:
            yield "#pragma unroll" if loop.times is None else f"#pragma unroll {loop.times}"
        name = loop.variable
        step = f"++{name}" if loop.step == 1 else f"{name} += {loop.step}"
        bounds = f"{name} = {self.value(loop.first)}; {name} < {self.value(loop.extent, RELATION)}"
        head = f"for ({'int' if loop.few else self.printer.index_type} {bounds}; {step})"
        match loop.body:
            case (inner,) if loop.bare:
                yield head
                yield from indented(self.of(inner))
            case (Loop(unrolled=False, times=None) as inner,):
                yield head
                yield from self.loop(inner)
            case body:
                yield from self.braces(f"{head} ", body)

    def runs(self, runs: Runs) -> Iterator[str]:
        """A run begins where the one before it ends, and ends with the last place of its key."""
        index, begin, end = self.printer.index_type, self.value(runs.begin), self.value(runs.end, RELATION)
        first, last = runs.first, runs.last
        yield f"for ({index} {first} = {begin}, {last} = {begin}; {first} < {end}; {first} = {last}) {{  // rows of one segment"
        yield f"  const {index} {runs.key} = {self.value(runs.key_first)};"
        yield f"  while (++{last} < {end} && {self.value(runs.key_last, EQUALITY)} == {runs.key}) {{}}"
        yield from indented(line for statement in runs.body for line in self.of(statement))
        yield "}"

    def choice(self, head: str, body: Body, otherwise: Body) -> Iterator[str]:
        """`if` and `else`."""
        *lines, end = self.braces(head, body)
        yield from lines
        if otherwise:
            yield from self.braces("} else ", otherwise)
        else:
            yield end

    def braces(self, head: str, body: Body) -> Iterator[str]:
        yield f"{head}{{"
        yield from indented(line for statement in body for line in self.of(statement))
        yield "}"


def broken(text: str, comment: str) -> list[str]:
    """A statement in one line; or with the `?` and `:` of its first choice on lines of their own; or its value on one."""
    if len(text) <= WIDTH:
        return [text + comment]
    cuts = _first_choice(text)
    if cuts is None:
        target, equals, value = text.partition(" = ")
        return [f"{target} ={comment}", f"    {value}"] if equals else [text + comment]
    question, colon = cuts
    return [text[:question] + comment, "    " + text[question + 1 : colon], "    " + text[colon + 1 :]]


def _first_choice(text: str) -> tuple[int, int] | None:
    """The places of the first ` ? ` and its ` : `."""
    question = text.find(" ? ")
    depth = 0
    for place in range(question, len(text)) if question >= 0 else ():
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0 and text.startswith(" : ", place):
            return question, place
    return None

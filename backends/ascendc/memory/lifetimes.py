"""When each on-chip buffer is in use, as positions in the program."""

from __future__ import annotations

from dataclasses import dataclass, field

from uol.backends.ascendc.instructions import Block, Branch, Instr, Loop
from uol.backends.ascendc.memory.buffers import Buffer, Lifetime


@dataclass(slots=True)
class _Survey:
    touches: dict[Buffer, list[int]] = field(default_factory=dict)
    loops: list[tuple[int, int, Block]] = field(default_factory=list)
    position: int = 0

    def walk(self, block: Block) -> None:
        for node in block.nodes:
            self.position += 1
            match node:
                case Instr(reads=reads, writes=writes):
                    for view in (*reads, *writes):
                        self.touches.setdefault(view.buffer, []).append(self.position)
                case Loop(body=body):
                    start = self.position
                    self.walk(body)
                    self.position += 1
                    self.loops.append((start, self.position, body))
                case Branch(body=body):
                    self.walk(body)
                    self.position += 1


def lifetimes(program: Block) -> tuple[Lifetime, ...]:
    """A buffer lives from its first touch to its last. One that is touched within a loop lives for the whole loop if it is
    touched outside too, if it is double-buffered, or if an iteration reads it before having written it."""
    survey = _Survey()
    survey.walk(program)
    result = []
    for buffer, touches in survey.touches.items():
        first, last = touches[0], touches[-1]
        for start, end, body in survey.loops:  # inner loops come before the loops around them
            if not any(start < t < end for t in touches):
                continue
            if first < start or end < last or buffer.slots > 1 or not _written_first(body, buffer):
                first, last = min(first, start), max(last, end)
        result.append(Lifetime(buffer, first, last))
    return tuple(result)


def _written_first(body: Block, buffer: Buffer) -> bool:
    """Is the first thing an iteration does to the buffer a write, outside of any branch?"""
    for node in body.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                if any(v.buffer == buffer for v in reads):
                    return False
                if any(v.buffer == buffer for v in writes):
                    return True
            case Loop(body=inner) if _touches(inner, buffer):
                return _written_first(inner, buffer)
            case Branch(body=inner) if _touches(inner, buffer):
                return False
    return False


def _touches(body: Block, buffer: Buffer) -> bool:
    for node in body.nodes:
        match node:
            case Instr(reads=reads, writes=writes):
                if any(v.buffer == buffer for v in (*reads, *writes)):
                    return True
            case Loop(body=inner) | Branch(body=inner):
                if _touches(inner, buffer):
                    return True
    return False

"""A vendor compiler's message, brought back to the line of the op."""

from __future__ import annotations

import re

from uol.codegen.backend import Module
from uol.ir.errors import ToolchainError
from uol.ir.syntax.span import Span

_PLACE = re.compile(
    r"^(?P<file>[^\s:(]+)(?:\((?P<nv>\d+)\)|:(?P<clang>\d+):\d+): (?:fatal |catastrophic )?error:? ?(?P<text>.*)$"
)
_REFERENCE = re.compile(r"// line (\d+)$")


def refusal(tool: str, module: Module, log: str) -> ToolchainError:
    """The error that says which line of which op a compiler stumbled over, as far as its message can be traced."""
    for message in log.splitlines():
        place = _PLACE.match(message.strip())
        if place is None:
            continue
        number = int(place["nv"] or place["clang"])
        own = place["file"].endswith(module.device.name)
        where = f"{place['file']}:{number}"
        return ToolchainError(
            f"{tool} refused {where}: {place['text']}",
            span=_op_span(module, number) if own else None,
            text=module.graph.source,
            hint=f"the emitted line is: {_line(module, number).strip()}" if own else log.strip()[-2000:],
        )
    return ToolchainError(f"{tool} failed on {module.device.name}", hint=log.strip()[-2000:] or "it said nothing")


def _op_span(module: Module, number: int) -> Span | None:
    """The line of the printed op that a line of the device text refers to: by its own comment, or the nearest above it
    within the kernel."""
    lines = module.device.text.splitlines()
    for text in reversed(lines[:number]):
        if found := _REFERENCE.search(text):
            return _whole_line(module, int(found[1]))
        if "__global__" in text:
            break
    return None


def _whole_line(module: Module, line: int) -> Span | None:
    source = module.graph.source.splitlines()
    if not 0 < line <= len(source):
        return None
    text = source[line - 1]
    first = len(text) - len(text.lstrip()) + 1
    return Span(module.graph.name, line, first, line, len(text) + 1)


def _line(module: Module, number: int) -> str:
    lines = module.device.text.splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else ""

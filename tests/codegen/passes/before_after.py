"""What a pass makes of a program or a spec, as text on both sides."""

from __future__ import annotations

from textwrap import dedent

from uol.codegen.specs.nodes import KernelSpec
from uol.codegen.specs.printer import spec_lines, stage_text
from uol.ir.program.nodes import Program


def agree(shown: Program | KernelSpec, wanted: str) -> None:
    """The stages of a program, or a spec, as they are printed, are these lines."""
    lines = map(stage_text, shown.stages) if isinstance(shown, Program) else spec_lines(shown)
    assert "\n".join(lines) == dedent(wanted).strip()

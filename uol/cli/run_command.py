"""`uol run`: an operator on seeded inputs, against its golden value."""

from __future__ import annotations

from typing import Annotated

import typer

from uol.cli.arguments import read_attributes, read_dims, read_operator
from uol.cli.options import AttrsOption, DimsOption, DtypeOption, ImportOption, JsonOption, OpArgument, SeedOption, TargetOption
from uol.cli.output import print_json, print_text, working
from uol.compiler import compile


def run(
    op: OpArgument,
    target: TargetOption = "cpu",
    dtype: DtypeOption = "f32",
    dims: DimsOption = [],  # noqa: B006 - typer's way to say "none"
    attrs: AttrsOption = [],  # noqa: B006
    seed: SeedOption = 0,
    twin: Annotated[bool, typer.Option("--twin", help="Run the emitted text in the twin, with every check.")] = False,
    modules: ImportOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Run an operator on seeded random inputs and compare it with its golden value. Exit 1 where it is not within bounds."""
    from uol.cli.trial import try_compiled

    compiled = compile(read_operator(op, modules), target, dtype, read_dims(dims), read_attributes(attrs))
    with working(f"running {compiled.module.graph.name}"):
        trial = try_compiled(compiled, seed=seed, in_twin=twin)
    if as_json:
        print_json(trial.as_json())
    else:
        print_text(str(trial))
    if not trial.passed:
        raise typer.Exit(1)

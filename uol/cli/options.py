"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

OpArgument = Annotated[str, typer.Argument(metavar="OP", help="An operator of `uol list`, FILE.uol, or FILE.uol:op.")]
TargetOption = Annotated[str, typer.Option("--target", "-t", help="backend or backend:device, for example cuda or hip:mi250x.")]
DtypeOption = Annotated[str, typer.Option("--dtype", help="f32, f16, ...; for several type variables T=f16,U=f32.")]
DIMS_HELP = "Sizes: N=1,C=64. A pack of dims: S=8x128; none: S=. What is left out, or _, is open: an argument of the kernels."
DimsOption = Annotated[list[str], typer.Option("--dims", "-d", help=DIMS_HELP)]
AttrsOption = Annotated[list[str], typer.Option("--attrs", "-a", help="Attributes: stride=2,pad=1.")]
SCHEDULE_HELP = "Fields of a kernel's schedule: m=128,n=64; of one kernel: kernel=NAME,m=64. explain --schedules lists them."
SchedulesOption = Annotated[list[str], typer.Option("--schedule", help=SCHEDULE_HELP)]
IMPORT_HELP = "A Python module that registers operators or targets: its name, or the path of a .py file."
ImportOption = Annotated[list[str], typer.Option("--import", metavar="MODULE", help=IMPORT_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of the inputs.")]

"""`uol train`: a model path in training, uol's operators beside PyTorch's, on data that ships with packages."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from uol.cli.options import JsonOption
from uol.cli.output import counted, print_json, print_table, print_text
from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.conformance.paths.task import Side
    from uol.conformance.paths.training.record import TrainingRecord

PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="resnet50, moe or cmap.")]
FolderOption = Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Of checkpoint, log and page.")]
StepsOption = Annotated[int | None, typer.Option("--steps", min=1, help="Steps in all; the path's own number else.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of parameters and batches.")]
DtypeOption = Annotated[str, typer.Option("--dtype", help="f32, f16 (with a scaled loss) or bf16; parameters stay f32.")]
SideOption = Annotated[str, typer.Option("--side", help="uol or pytorch alone; both take turns where it is not given.")]
EveryOption = Annotated[int, typer.Option("--every", min=1, help="Steps from one validation and checkpoint to the next.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Train anew over the training that the folder holds.")]
DTYPES, SIDES = ("f32", "f16", "bf16"), ("uol", "pytorch")


def train(
    path: PathArgument,
    folder: FolderOption = None,
    steps: StepsOption = None,
    seed: SeedOption = 0,
    dtype: DtypeOption = "f32",
    side: SideOption = "",
    every: EveryOption = 100,
    resume: ResumeOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model path on real data, beside PyTorch from the same parameters on the same batches.

    Writes a checkpoint, training.json and training.html (the losses of both sides in one plot). A run that was killed goes on
    by --resume, to the same numbers. A folder that holds a training is not trained into without --resume or --force.

    Exit status: 0 done, 1 a NaN in a batch, or a loss, gradient or figure that is not finite, stopped it (the last checkpoint
    stays), 2 bad input.
    """
    from uol.conformance.paths import task_of
    from uol.conformance.paths.training.checkpoint import make_room
    from uol.conformance.paths.training.run import RunOptions, run
    from uol.conformance.report.files import require_writable, write_training

    task = task_of(path)
    sides = _among("--side", side, SIDES) if side else SIDES
    recipe = replace(task.recipe, dtype=_among("--dtype", dtype, DTYPES)[0])
    place = folder or Path("train") / path
    if resume and force:
        raise UolError("--resume goes on with a training, --force removes it", hint="give one of them")
    require_writable(place)
    if not resume:
        make_room(place, overwrite=force)
    total = steps or task.steps
    options = RunOptions(recipe, total, seed, cast("tuple[Side, ...]", sides), place, every, resume)
    with ended_by_sigterm(), counted(f"training {path}", total) as report:
        record = run(task, options, lambda r: report(r.steps, total, _note(r)))
    page = write_training(record, place)
    if as_json:
        print_json(record.record())
    else:
        _print(record, page)
    if record.stopped:
        raise typer.Exit(1)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Within it, SIGTERM ends the command as an interrupt does: what is being written is taken away."""

    def end(signal_number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + signal_number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _among(option: str, value: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if value not in known:
        raise UolError(f"{option} is {value!r}", hint=f"it is one of {', '.join(known)}")
    return (value,)


def _note(record: TrainingRecord) -> str:
    return ", ".join(f"{side} {course.losses[-1]:.4f}" for side, course in record.courses.items() if course.losses)


def _print(record: TrainingRecord, page: Path) -> None:
    rows = [
        (side, f"{course.last_loss:.4f}", f"{course.last_figure:.4f}", f"{course.seconds:.1f}")
        for side, course in record.courses.items()
    ]
    print_table(("side", "loss", record.metric, "seconds"), rows)
    if record.time_ratio is not None:
        print_text(f"PyTorch's time / uol's: {record.time_ratio:.2f}")
    print_text(f"{record.steps} steps; {page}")
    if record.stopped:
        print_text(f"stopped: {record.stopped}")

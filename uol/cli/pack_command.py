"""`uol pack`: conformance's cases, built for a card, in a folder that runs on a machine without uol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uol.cli.arguments import listed, read_dims, refuse_beside
from uol.cli.options import ImportOption, JsonOption, SeedOption
from uol.cli.output import counted, print_json, print_text
from uol.compilation.request import Target, resolve_target
from uol.conformance.runs.shards import read_shard
from uol.ir.errors import UolError
from uol.operators.registry import find_operator
from uol.operators.sources import import_operators, registered_names

if TYPE_CHECKING:
    from uol.conformance.packs.cases import Subject
    from uol.conformance.packs.write import Written

SHOWN = 20
"""Cases that are left out and are printed; pack.json has all."""

TargetOption = Annotated[str, typer.Option("--target", "-t", help="The card that it is for: cuda:h100, hip:mi250x.")]
OpOption = Annotated[str, typer.Option("--op", help="Operators: softmax,own.uol:relu; all for the library and the imported.")]
PathOption = Annotated[str, typer.Option("--path", help="In place of operators, the calls of a model path's step: resnet50.")]
DtypesOption = Annotated[str, typer.Option("--dtype", help="Types of the cases: f32,f16.")]
FolderOption = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder; a pack there is replaced.")]
PartOption = Annotated[str, typer.Option("--part", help="i/n: the i-th of n parts of one size, where all are over 50 MiB.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A path at narrow sizes, which fits into one pack.")]
SIZES_HELP = "Sizes of the one operator in place of its first case's, which may be too small to time: S=4096x1024."
SizesOption = Annotated[list[str], typer.Option("--dims", "-d", help=SIZES_HELP)]
TIMING_HELP = "Cases of real size, whose inputs are drawn on the card: of --op, or of all products."
TimingOption = Annotated[bool, typer.Option("--timing", help=TIMING_HELP)]
GradientsOption = Annotated[bool, typer.Option("--gradients", help="The gradients of the operators, in their place.")]


def pack(
    target: TargetOption,
    folder: FolderOption,
    op: OpOption = "",
    path: PathOption = "",
    dtype: DtypesOption = "f32",
    dims: SizesOption = [],  # noqa: B006 - typer's way to say "none"
    timing: TimingOption = False,
    gradients: GradientsOption = False,
    quick: QuickOption = False,
    part: PartOption = "1/1",
    modules: ImportOption = [],  # noqa: B006 - typer's way to say "none"
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a pack: the first case of each operator, or each kernel of a path's step, built for a card, with inputs, golden
    values, bounds and a runner.

    `python DIR/run.py` runs it where there are Python, numpy and the card's driver, judges every case, times it (beside
    PyTorch, where that is there), and writes record.json, which `uol record` and `uol conform --record` read.

    With --timing, and at --dims that are too large to travel, inputs are drawn on the card from a seed and results are judged
    at a sample of places. Each case holds the time that the model predicts.

    Exit status: 0 done, 1 a case could not be made (one that its target refuses is none), 2 bad input, or too large a pack.
    """
    from uol.conformance.packs.write import Selection, require_packable, write_pack

    asked = _Asked(op, path, dims, timing, gradients, quick, modules, seed)
    asked.require_one()
    resolved = resolve_target(target)
    require_packable(resolved)
    dtypes = tuple(dict.fromkeys(listed(dtype, "dtype", "f32,f16")))
    shard = read_shard(part, "--part")
    subjects, what = asked.subjects(resolved, dtypes)
    with counted("packing", ceil(len(subjects) / shard.of)) as progress:
        selection = Selection(f"{what}, in {', '.join(dtypes)}", (shard.number, shard.of))
        written = write_pack(subjects, resolved, selection, folder, progress)
    if as_json:
        print_json(_as_json(written))
    else:
        _print(written, resolved)
    if written.failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a pack is to hold, as the options say it."""

    op: str
    path: str
    dims: Sequence[str]
    timing: bool
    gradients: bool
    quick: bool
    modules: Sequence[str]
    seed: int

    def require_one(self) -> None:
        """Raises UolError where nothing is asked for, or what would be ignored."""
        others = {"--dims": self.dims, "--gradients": self.gradients, "--import": self.modules}
        if self.path:
            refuse_beside("--path", {"--op": self.op, "--timing": self.timing, **others})
        elif self.quick:
            raise UolError("--quick says nothing beside --op", hint="it is for --path, whose steps have several sizes")
        elif self.timing:
            refuse_beside("--timing", others)
        elif not (self.op or self.modules):
            raise UolError("say what to pack", hint="--op softmax,conv2d (or --op all), --timing, or --path resnet50")

    def subjects(self, target: Target, dtypes: tuple[str, ...]) -> tuple[list[Subject], str]:
        """The cases, and what they are in words."""
        if self.path:
            cases = _of_path(self.path, target, dtypes, self.seed, self.quick)
            return cases, f"path {self.path}{', narrow' if self.quick else ''}"
        if self.timing:
            return _of_timing(self.op, target, dtypes, self.seed), f"{self.op or 'products'}: timing cases"
        said = f"the first case, at {', '.join(self.dims)}" if self.dims else "the first case of each"
        return _of_ops(self, target, dtypes), f"{self.op or 'imported'}{', gradients' if self.gradients else ''}: {said}"


def _of_ops(asked: _Asked, target: Target, dtypes: tuple[str, ...]) -> list[Subject]:
    """The first case of each operator; with `dims` of the one that there is, at these sizes."""
    from uol.cli.conform_operators import named_operators
    from uol.conformance.cases.selection import Selection, plan
    from uol.conformance.packs.cases import at_sizes, of_drawn, of_operators
    from uol.conformance.packs.drawn.whole import is_drawn
    from uol.ops.texts import names

    imported = tuple(name for module in asked.modules for name in import_operators(module))
    op, dims = asked.op, asked.dims
    if op.strip() == "all":
        ops = tuple(dict.fromkeys((*names(), *registered_names())))
    else:
        ops = named_operators(op)[0] if op else imported
    for name in ops:
        find_operator(name)
    first = Selection(ops, (target.name,), dtypes, first=True, seed=asked.seed, adversarial=False)
    planned = plan(replace(first, gradients=asked.gradients))
    if not dims:
        return of_operators(planned.cases)
    if len(ops) != 1:
        raise UolError(f"--dims are those of one operator, and {len(ops)} are named", hint="--op softmax --dims S=4096,C=1024")
    sizes = read_dims(dims)
    cases = [at_sizes(case, sizes) for case in planned.cases]
    return [of_drawn(replace(case, inputs="wide")) if is_drawn(case) else of_operators([case])[0] for case in cases]


def _of_timing(op: str, target: Target, dtypes: Sequence[str], seed: int) -> list[Subject]:
    from uol.conformance.packs.cases import of_drawn
    from uol.conformance.packs.drawn.timing import timed_operators, timing_cases

    names = listed(op, "operator", "matmul,linear") if op else timed_operators()
    return [of_drawn(*case) for name in names for case in timing_cases(name, target.name, dtypes, seed)]


def _of_path(path: str, target: Target, dtypes: tuple[str, ...], seed: int, quick: bool) -> list[Subject]:
    from uol.cli.conform_command import path_dtypes
    from uol.conformance.packs.cases import of_path

    names = listed(path, "path", "resnet50")
    chosen = path_dtypes(",".join(dtypes))
    return [subject for name in names for subject in of_path(name, target.name, chosen, seed, quick=quick)]


def _print(written: Written, target: Target) -> None:
    for each in written.left[:SHOWN]:
        print_text(f"{each.state}  {each.name}: {each.reason}")
    if len(written.left) > SHOWN:
        print_text(f"and {len(written.left) - SHOWN} more, which pack.json names")
    size = f"{written.bytes / 2**20:.1f} MiB"
    left = f"{len(written.left) - written.failed} refused, {written.failed} failed"
    print_text(f"{written.folder}: {written.cases} cases for {target.name}, {left}, {size}")
    print_text(f"on the card: python {written.folder.name}/run.py")


def _as_json(written: Written) -> dict[str, object]:
    left = [asdict(each) for each in written.left]
    return {"folder": str(written.folder), "cases": written.cases, "bytes": written.bytes, "left_out": left}

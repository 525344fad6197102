"""`uol conform`: does a target compute what the texts mean?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from uol.backends import registry
from uol.backends.cpu.host import usable_cores
from uol.cli.arguments import listed, refuse_beside
from uol.cli.conform_operators import KernelOptions, OperatorOptions, conform_operators, sizes_of
from uol.cli.conform_paths import conform_paths
from uol.cli.options import ImportOption, JsonOption
from uol.compilation.request import resolve_targets
from uol.conformance.packs.record import read_card_record
from uol.conformance.paths.record import PathOptions
from uol.conformance.runs.baseline import read_baseline
from uol.conformance.runs.shards import read_shard
from uol.ir.errors import TypeCheckError, UolError
from uol.operators.sources import import_operators

PathOption = Annotated[str, typer.Option("--path", help="Model paths: moe, cmap, resnet50.")]
OpOption = Annotated[
    str,
    typer.Option("--op", help="Operators: softmax,own.uol,own.uol:relu; all for the library and what is imported."),
]
TargetsOption = Annotated[str, typer.Option("--target", "-t", help="Targets; all where nothing is said.")]
DtypesOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Types of the checks: f32,f16. Operators on integers alone are checked in those. Where nothing is said: f32; of a "
        "path f16,bf16, with --quick f32.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="Folder for report.html, report.json and junit.xml; for a path, `report` if not given."),
]
WeightsOption = Annotated[Path | None, typer.Option("--weights", help="A state dict for the path; seeded weights else.")]
ImageOption = Annotated[Path | None, typer.Option("--image", help="A picture for the path; scikit-learn's photograph else.")]
FirstOption = Annotated[
    bool,
    typer.Option("--first", help="Two cases an operator: its first on random inputs, one of ties, NaN, -inf and tails."),
]
QuickOption = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="As --first; without --op, or of all, a dozen operators with every kind of kernel. A path: at narrow sizes.",
    ),
]
RecordOption = Annotated[
    list[Path], typer.Option("--record", metavar="FILE", help="What a pack found on a card, for the report; it counts.")
]
KernelOption = Annotated[
    int | None, typer.Option("--kernel", min=1, help="The number of a call of the path's step whose kernels alone are checked.")
]
GradientsOption = Annotated[bool, typer.Option("--gradients", help="The gradients of the operators, in their place.")]
AnySizeOption = Annotated[
    bool, typer.Option("--any-size", help="By kernels that take dims as arguments, on the targets that have such.")
]
DeterministicOption = Annotated[
    bool,
    typer.Option("--deterministic", help="By kernels that add in one order from run to run, where others are faster."),
]
Tf32Option = Annotated[
    bool,
    typer.Option("--tf32", help="Products of f32 by factors shortened to TF32, where there are such, within their own bounds."),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="FILE", help="An earlier report.json: what counts is what fails, is lost or refused that was not."
    ),
]
CaseOption = Annotated[
    str, typer.Option("--case", metavar="CASE", help="One case, as reports name it: 'softmax[S=3, C=33] on random inputs'.")
]
ShardOption = Annotated[str, typer.Option("--shard", metavar="I/N", help="The cases of the I-th of N shards alone.")]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="FILE", help="A journal: what it has and nothing has changed is taken over, what is run goes in."
    ),
]
MergeOption = Annotated[
    list[Path], typer.Option("--merge", metavar="FILE", help="A journal of each shard: all cases are theirs, none is run.")
]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes; 0: as many as cores that may be used.")]

HELP = """Check operators (--op) or whole models (--path) on every target; a vendor's text runs in its twin.

A case passed, failed (beyond its contract, a finding of the twin, or an error), or was refused: its target has no kernel for
it, and says why (of the library's operators, refusals.toml knows why; any other refusal of them failed). A type that an
operator does not admit is left out, and counted.

A run that was killed goes on with --resume FILE, which also takes over what a change has left as it was; runs of --shard 1/3 to
3/3 become one report by --merge.

Exit status: 0 all passed or were refused with a reason, 1 a check failed (with --baseline: one that did not fail there, or that
is gone, or that passed and is refused), 2 bad input (or a tool or folder that cannot be used, or nothing to check)."""

PATH_DTYPES = ("f64", "f32", "f16", "bf16")
"""What the layers of a path can be checked in: the types that the operators of the networks admit."""


def conform(
    path: PathOption = "",
    op: OpOption = "",
    target: TargetsOption = "",
    dtype: DtypesOption = "",
    first: FirstOption = False,
    quick: QuickOption = False,
    gradients: GradientsOption = False,
    any_size: AnySizeOption = False,
    deterministic: DeterministicOption = False,
    tf32: Tf32Option = False,
    modules: ImportOption = [],  # noqa: B006 - typer's way to say "none"
    report: ReportOption = None,
    weights: WeightsOption = None,
    image: ImageOption = None,
    kernel: KernelOption = None,
    records: RecordOption = [],  # noqa: B006
    baseline: BaselineOption = None,
    case: CaseOption = "",
    shard: ShardOption = "1/1",
    resume: ResumeOption = None,
    merge: MergeOption = [],  # noqa: B006
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of inputs and weights.")] = 0,
    jobs: JobsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Check operators (--op) or whole models (--path) on every target; a vendor's text runs in its twin."""
    part = read_shard(shard)
    kinds = {"--first": first, "--gradients": gradients, "--any-size": any_size}
    kinds |= {"--deterministic": deterministic, "--tf32": tf32}
    runs = {"--case": case, "--shard": not part.is_whole, "--resume": resume, "--merge": merge}
    _require_one(path, {"--op": op, "--import": modules, **kinds, **runs}, (weights, image, kernel), quick)
    imported = tuple(name for module in modules for name in import_operators(module))  # which may register targets, too
    targets = tuple(t.name for t in resolve_targets(target or ",".join(_default_targets(any_size))))
    evidence = tuple(map(read_card_record, records)), None if baseline is None else read_baseline(baseline)
    jobs = jobs or usable_cores()
    if path:
        dtypes = path_dtypes(dtype or ("f32" if quick else "f16,bf16"))
        options = PathOptions(targets, weights, image, dtypes, seed, jobs, quick, kernel)
        ok = conform_paths(listed(path, "path", "resnet50"), options, report or Path("report"), as_json, *evidence, resume)
    else:
        dtypes = tuple(dict.fromkeys(listed(dtype or "f32", "dtype", "f32,f16")))
        kernels = KernelOptions(sizes_of(any_size), deterministic, tf32)
        how = OperatorOptions(op, targets, dtypes, first, quick, gradients, kernels, seed, jobs)
        how = replace(how, modules=tuple(modules), imported=imported, case=case, shard=part, resume=resume, merge=tuple(merge))
        ok = conform_operators(how, report, as_json, *evidence)
    if not ok:
        raise typer.Exit(1)


def _require_one(path: str, of_operators: Mapping[str, object], of_paths: Sequence[object], quick: bool) -> None:
    """Refuses options of operators beside a path, those of paths beside operators, and a run beside a merge; and nothing to
    check."""
    if path:
        refuse_beside("--path", {name: value for name, value in of_operators.items() if name != "--resume"})
        return
    refuse_beside("--op", dict(zip(("--weights", "--image", "--kernel"), of_paths, strict=True)))
    if of_operators["--merge"]:
        refuse_beside("--merge", {name: of_operators[name] for name in ("--shard", "--resume")})
    if not (of_operators["--op"] or of_operators["--import"] or quick):
        raise UolError("say what to check", hint="either --path resnet50 or --op softmax,conv2d (or --op all)")


def _default_targets(any_size: bool) -> tuple[str, ...]:
    """All of them, or those that have kernels of any size."""
    from uol.conformance.cases.selection import openable_targets

    return openable_targets() if any_size else tuple(registry.names())


def path_dtypes(text: str) -> tuple[str, ...]:
    """The types that a path is asked in. Raises TypeCheckError for one that its layers do not admit."""
    found = tuple(dict.fromkeys(listed(text, "dtype", "f16,bf16")))
    for dtype in found:
        if dtype not in PATH_DTYPES:
            hint = f"--dtype is one of {', '.join(PATH_DTYPES)}, or several by commas"
            raise TypeCheckError(f"a path is not checked in {dtype!r}", hint=hint)
    return found

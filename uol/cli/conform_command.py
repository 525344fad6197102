"""`uol conform`: does a target compute what the texts mean?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uol.backends import registry
from uol.cli.arguments import read_operator
from uol.cli.conform_paths import conform_paths
from uol.cli.options import JsonOption
from uol.cli.output import counted, print_json, print_table, print_text
from uol.conformance.default_workloads import default_workloads
from uol.conformance.paths.record import PathOptions
from uol.conformance.verdict import Case, Verdict
from uol.ir.errors import TypeCheckError, UolError
from uol.ir.syntax import Op
from uol.named_binding import bind_types
from uol.ops.references import has_reference
from uol.ops.texts import names as library_names
from uol.ops.workloads import Workload, has_workloads, workloads_of
from uol.targets import resolve_targets

PathOption = Annotated[str, typer.Option("--path", help="Model paths: resnet50.")]
OpOption = Annotated[str, typer.Option("--op", help="Operators: softmax,own.uol; all for the whole library.")]
TargetsOption = Annotated[str, typer.Option("--target", "-t", help="Targets; all where nothing is said.")]
DtypesOption = Annotated[str, typer.Option("--dtype", help="Types of the checks: f32,f16.")]
ReportOption = Annotated[Path, typer.Option("--report", help="Folder for report.json and report.html.")]
WeightsOption = Annotated[Path | None, typer.Option("--weights", help="A state dict for the path; seeded weights else.")]
ImageOption = Annotated[Path | None, typer.Option("--image", help="A picture for the path; scikit-learn's photograph else.")]

PATH_DTYPES = ("f64", "f32", "f16", "bf16")
"""What the layers of a path can be checked in: the types that the operators of the networks admit."""


def conform(
    path: PathOption = "",
    op: OpOption = "",
    target: TargetsOption = "",
    dtype: DtypesOption = "f32",
    report: ReportOption = Path("report"),
    weights: WeightsOption = None,
    image: ImageOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of inputs and weights.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Check operators (--op) or whole models (--path) on every target. Exit status 1 on a breach."""
    if bool(path) == bool(op):
        raise UolError("say what to check", hint="either --path resnet50 or --op softmax,conv2d (or --op all)")
    targets = resolve_targets(target or ",".join(registry.names()))
    if path:
        options = PathOptions(tuple(t.name for t in targets), weights, image, _path_dtype(dtype), seed)
        ok = conform_paths(_listed(path, "path", "resnet50"), options, report, as_json)
    else:
        ok = _conform_operators(op, [t.name for t in targets], dtype, seed, as_json)
    if not ok:
        raise typer.Exit(1)


def _conform_operators(op: str, targets: list[str], dtype: str, seed: int, as_json: bool) -> bool:
    from uol.conformance.twin_check import check

    cases = [
        Case(operator.name, target, each, workload, seed=seed)
        for operator, workloads in _operators(op)
        for target in targets
        for each in _dtypes(operator, dtype)
        for workload in workloads
    ]
    with counted("checking", len(cases)) as progress:
        verdicts = check(cases, progress)
    if as_json:
        print_json([v.record() for v in verdicts])
    else:
        _print(verdicts)
    return all(v.ok for v in verdicts)


def _operators(text: str) -> list[tuple[Op, tuple[Workload, ...]]]:
    names = list(library_names()) if text.strip() == "all" else _listed(text, "operator", "softmax,conv2d")
    operators = {op.name: op for op in map(read_operator, names)}
    return [(op, workloads_of(name) if has_workloads(name) else default_workloads(op)) for name, op in operators.items()]


def _dtypes(op: Op, text: str) -> list[str]:
    """The types of the checks; an operator with several type variables takes each for all of them."""
    chosen = _listed(text, "dtype", "f32,f16")
    variables = [s.variable for s in op.domain]
    typed = [",".join(f"{v}={t}" for v in variables) if len(variables) > 1 else t for t in chosen]
    for each in typed:
        bind_types(op, each)
    return typed


def _path_dtype(text: str) -> str:
    if text not in PATH_DTYPES:
        raise TypeCheckError(f"a path is not checked in {text!r}", hint=f"--dtype is one of {', '.join(PATH_DTYPES)}")
    return text


def _listed(text: str, what: str, example: str) -> list[str]:
    """The names between commas. Raises UolError for none: a check of nothing must not pass."""
    names = [n.strip() for n in text.split(",") if n.strip()]
    if not names:
        raise UolError(f"no {what} given: {text!r}", hint=f"for example {example}")
    return names


def _print(verdicts: list[Verdict]) -> None:
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for v in verdicts:
        groups.setdefault((v.case.op, v.case.target, v.case.dtype), []).append(v)
    rows = []
    for key, group in groups.items():
        passed = sum(v.ok for v in group)
        share = max((v.golden.share for v in group if v.golden is not None), default=0.0)
        rows.append((*key, f"{passed}/{len(group)}", f"{share:.1%}", "" if passed == len(group) else "FAILED"))
    print_table(("operator", "target", "dtype", "passed", "worst share of what is admitted", ""), rows)
    for name in dict.fromkeys(v.case.op for v in verdicts):
        if not has_reference(name):
            print_text(f"{name}: no reference of its own, so it was compared with the golden interpreter alone")
    for v in verdicts:
        if not v.ok:
            print_text(f"\n{v.case}\n  {v.status}: {v.reason}")

"""`uol compile` and `uol explain`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from uol.binding.memory import MemoryDemandWarning
from uol.bundle import write_bundles
from uol.cli.arguments import read_attributes, read_dims, read_operator, refuse_beside
from uol.cli.explain_path import DTYPE, explain_path
from uol.cli.options import AttrsOption, DimsOption, DtypeOption, ImportOption, JsonOption, OpArgument, SchedulesOption
from uol.cli.output import print_json, print_table, print_text, track
from uol.compilation.request import resolve_targets
from uol.compiler import Compiled, compile
from uol.ir.errors import ResourceError, UolError
from uol.ir.syntax.surface import Op

TargetsOption = Annotated[str, typer.Option("--target", "-t", help="One or several: cpu,cuda,hip:mi250x,ascendc.")]
OptionalOpArgument = Annotated[str, typer.Argument(metavar="[OP]", help="An operator of `uol list`, FILE.uol, or FILE.uol:op.")]
ExplainedTargetsOption = Annotated[
    str, typer.Option("--target", "-t", help="cpu where nothing is said; of a path all devices.")
]
ExplainedDtypeOption = Annotated[str, typer.Option("--dtype", help="As of compile; f32 where nothing is said, of a path f16.")]
ExplainedPathOption = Annotated[str, typer.Option("--path", help="A model path in place of an operator: moe, cmap, resnet50.")]
OutOption = Annotated[Path | None, typer.Option("-o", "--output", help="Write a bundle for each target into this folder.")]
SymbolOption = Annotated[
    str,
    typer.Option("--symbol", help="Name functions, files and folder so: a name, a template '{op}_{types}_{sizes}', or auto."),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Refuse what the device's memory does not hold (else: warn).")]
DeterministicOption = Annotated[
    bool, typer.Option("--deterministic", help="The same numbers from run to run: places are put in order first.")
]
Tf32Option = Annotated[
    bool, typer.Option("--tf32", help="Products of f32 may be of factors shortened to TF32, where the target has them.")
]
CheckOption = Annotated[bool, typer.Option("--check", help="Run each (a vendor's in its twin) and record the result.")]


def compile_(
    op: OpArgument,
    target: TargetsOption = "cpu",
    dtype: DtypeOption = "f32",
    dims: DimsOption = [],  # noqa: B006 - typer's way to say "none"
    attrs: AttrsOption = [],  # noqa: B006
    output: OutOption = None,
    check: CheckOption = False,
    symbol: SymbolOption = "",
    strict: StrictOption = False,
    deterministic: DeterministicOption = False,
    tf32: Tf32Option = False,
    schedule: SchedulesOption = [],  # noqa: B006 - typer's way to say "none"
    modules: ImportOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Compile an operator: print its text, or write a bundle for each target with -o."""
    asked = Asked(read_operator(op, modules), target, dtype, dims, attrs, schedule, symbol, deterministic, tf32)
    compiled = _within_memory(asked) if strict else asked.compiled()
    results = {}
    if check:
        from uol.cli.trial import try_compiled

        results = {c.request.target.name: try_compiled(c).as_json() for c in track(compiled, "running")}
    if output is None:
        _print_sources(compiled, results, as_json)
    else:
        _print_places(compiled, write_bundles(compiled, output, results), results, as_json)
    if any(not result["passed"] for result in results.values()):
        raise typer.Exit(1)


def explain(
    op: OptionalOpArgument = "",
    target: ExplainedTargetsOption = "",
    dtype: ExplainedDtypeOption = "",
    dims: DimsOption = [],  # noqa: B006
    attrs: AttrsOption = [],  # noqa: B006
    source: Annotated[bool, typer.Option("--source", help="Print the emitted text, too.")] = False,
    schedule: SchedulesOption = [],  # noqa: B006 - typer's way to say "none"
    schedules: Annotated[bool, typer.Option("--schedules", help="List every schedule that each kernel could have.")] = False,
    path: ExplainedPathOption = "",
    modules: ImportOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Say why the kernels are what they are: what fused, layouts, schedules, launches. Of a path (--path): the kernels of a
    training step at its full size, with launches, bytes and operations."""
    if bool(op) == bool(path):
        raise UolError("say what to explain", hint="either an operator, `uol explain softmax`, or --path moe")
    if path:
        of_operators = {"--dims": dims, "--attrs": attrs, "--source": source, "--schedule": schedule, "--schedules": schedules}
        refuse_beside("--path", of_operators)
        explain_path(path, target, dtype or DTYPE, as_json)
        return
    compiled = Asked(read_operator(op, modules), target or "cpu", dtype or "f32", dims, attrs, schedule).compiled()
    if as_json:
        shown = [c.explain(schedules=schedules).as_json() | ({"text": c.source} if source else {}) for c in compiled]
        print_json(shown)
        return
    for each in compiled:
        text = str(each.explain(schedules=schedules))
        print_text(f"{text}\n{each.source}" if source else text)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operator for targets, as the command line has it."""

    operator: Op
    targets: str
    dtype: str
    dims: Sequence[str]
    attrs: Sequence[str]
    schedule: Sequence[str]
    symbol: str = ""
    deterministic: bool = False
    tf32: bool = False

    def compiled(self) -> list[Compiled]:
        sizes, attributes = read_dims(self.dims), read_attributes(self.attrs)
        tracked = track(resolve_targets(self.targets), f"compiling {self.operator.name}")
        return [
            compile(
                *(self.operator, t.name, self.dtype, sizes, attributes),
                schedule=self.schedule, symbol=self.symbol, deterministic=self.deterministic, tf32=self.tf32,
            )
            for t in tracked
        ]  # fmt: skip


def _within_memory(asked: Asked) -> list[Compiled]:
    """Raises ResourceError where a device's memory does not hold tensors and workspace."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", MemoryDemandWarning)
        try:
            return asked.compiled()
        except MemoryDemandWarning as demand:
            raise ResourceError(str(demand), hint="choose smaller sizes, or leave out --strict") from None


def _print_sources(compiled: list[Compiled], results: dict[str, dict[str, object]], as_json: bool) -> None:
    if not as_json:
        print_text("\n".join(c.source for c in compiled))
        return
    print_json([c.explain().as_json() | {"text": c.source, "check": results.get(c.request.target.name)} for c in compiled])


def _print_places(compiled: list[Compiled], places: list[Path], results: dict[str, dict[str, object]], as_json: bool) -> None:
    rows = [
        {
            "target": c.request.target.name,
            "bundle": str(place),
            "kernels": len(c.module.kernels),
            "check": results.get(c.request.target.name),
        }
        for c, place in zip(compiled, places, strict=True)
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("target", "kernels", "bundle", "check"),
        [(str(r["target"]), str(r["kernels"]), str(r["bundle"]), _verdict(results.get(str(r["target"])))) for r in rows],
    )


def _verdict(result: dict[str, object] | None) -> str:
    return "not asked" if result is None else "passed" if result["passed"] else f"FAILED: {result['failure']}"

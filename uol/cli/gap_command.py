"""`uol gap`: how evenly the kernels of a path use what each device attains, by a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uol.backends.cpu.host import usable_cores
from uol.cli.arguments import listed
from uol.cli.output import counted, print_text
from uol.ir.errors import TypeCheckError

PathsOption = Annotated[str, typer.Option("--path", help="Model paths: moe, cmap, resnet50; all where nothing is said.")]
DtypesOption = Annotated[str, typer.Option("--dtype", help="Element types of the activations: f16, bf16.")]
FileOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every figure, down to the kernels.")]
ReportOption = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with plots, FILE.html.")]
DTYPES = ("f16", "bf16")


def gap(
    path: PathsOption = "",
    dtype: DtypesOption = "f16,bf16",
    file: FileOption = None,
    report: ReportOption = None,
) -> None:
    """Compare what the kernels of a path take on each device with what they would take at best there, without running it.

    A path's training step is recorded at its full size. T_ref is what the best kernels would take, from the bytes and products
    of conformance/paths/PATH/mathematics.py at what the device attains; T is modelled, from what uol's kernels move and
    issue. eff = the sum of T_ref / the sum of T, over forward and backward; the gap is 1 - the least eff / the greatest, or
    / 0.85 of the best known where that is more. The vendors' own published times stand beside it by the same formulas. Every
    figure is modelled, not validated: no verdict rests on it.

    Exit status: 0 done, 2 bad input.
    """
    from uol.cli.gap_tables import print_control, print_gap, print_summary
    from uol.conformance.gap.measure import count_all, devices, gap_of_case, recorded_cases
    from uol.conformance.paths import PATHS, require_path
    from uol.conformance.report.files import require_writable, write_gap

    names = listed(path, "path", "moe,cmap") if path else list(PATHS)
    for name in names:
        require_path(name)
    dtypes = [_known_dtype(each) for each in dict.fromkeys(listed(dtype, "dtype", "f16,bf16"))]
    for place in (file, report):
        if place is not None:
            require_writable(place.parent)
    chosen = devices()
    cases = [case for name in names for case in recorded_cases(name, dtypes)]
    with counted("counting kernels", 1) as progress:
        counts = count_all(cases, chosen.all, usable_cores(), lambda done, of: progress(done, of, ""))
    found = [gap_of_case(case, counts, chosen) for case in cases]
    print_summary(found)
    for each in found:
        print_gap(each)
    print_control(chosen.all, chosen.compared)
    write_gap(found, report, file)
    if report is not None:
        print_text(f"page: {report}")


def _known_dtype(text: str) -> str:
    if text not in DTYPES:
        raise TypeCheckError(f"a gap is not taken in {text!r}", hint=f"--dtype is one of {', '.join(DTYPES)}")
    return text

"""`uol conform --path`: whole models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uol.cli.output import print_json, print_table, print_text, staged
from uol.conformance.paths import path_named
from uol.conformance.paths.record import PathOptions, PathReport
from uol.targets import Target


def conform_paths(
    paths: str,
    targets: Sequence[Target],
    dtype: str,
    folder: Path,
    weights: Path | None,
    image: Path | None,
    seed: int,
    as_json: bool,
) -> bool:
    """Runs each path of a comma-separated list, prints and writes its report. Did all pass?"""
    modules = [path_named(name.strip()) for name in paths.split(",") if name.strip()]
    options = PathOptions(tuple(t.backend.name for t in targets), weights, image, dtype, seed)
    reports = []
    for module in modules:
        with staged() as progress:
            reports.append(module.conform(options, progress))
        if not as_json:
            _print(reports[-1])
    if as_json:
        print_json([r.record() for r in reports])
    return all(r.ok for r in reports)


def _print(report: PathReport) -> None:
    rows = []
    for layer in report.layers:
        golden, pytorch = (f"{c.share:.1%}" if c is not None else "" for c in (layer.golden, layer.pytorch))
        times = f"{layer.time_us:.0f} / {layer.pytorch_us:.0f}" if layer.time_us else ""
        rows.append((layer.target, layer.op, layer.shape, str(len(layer.kernels)), golden, pytorch, times, layer.status))
    print_table(("target", "operator", "shape", "kernels", "golden", "PyTorch", "us / PyTorch's us", "status"), rows)
    print_text("")
    for name, value in report.facts.items():
        print_text(f"{name}: {value}")
    for check in report.checks:
        print_text(f"{'passed' if check.ok else 'FAILED'}  {check.name}: {check.detail}")
    print_text(f"{report.path}: {'passed' if report.ok else 'FAILED'} in {report.seconds:.0f} s")

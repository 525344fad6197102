"""Model paths: whole networks made of operators, on real input, checked and trained.

A path is a room of this folder; what serves all of them lies beside the rooms.

    task.py, training/               what training asks of a path; `uol train`
    draw.py, step_checks.py          a training step on drawn numbers, judged on every target
    judge.py                         its errors on the CPU, value by value: a command
    recorded.py, kernels.py, emulation.py    what a step calls; its kernels one by one; all of it in a target's twin
    full_size.py                     a step at the path's full size, recorded without running it
    convolutions.py, convolution_bounds.py   its convolutions at that size in the twins: a command; what is admitted of them
    record.py, facts.py              what a check of a path is asked, and what it reports
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from uol.ir.errors import UolError

if TYPE_CHECKING:
    from uol.conformance.paths.draw import DrawnPath
    from uol.conformance.paths.record import PathOptions, PathReport, Progress
    from uol.conformance.paths.task import Task

PATHS = ("moe", "cmap", "resnet50")


def conform(name: str, options: PathOptions, progress: Progress) -> PathReport:
    """Runs a path on every target and judges it: a training step, and before it resnet50's inference on a photograph, which has
    one size. Raises UolError, with the paths there are, for any other name."""
    require_path(name)
    on_photograph = name == "resnet50" and not options.quick and options.kernel is None
    if (options.weights or options.image) and not on_photograph:
        raise UolError("--weights and --image say nothing here", hint="they are resnet50's; --quick leaves its picture out")
    from uol.conformance.paths.step_checks import check_steps

    path = drawn(name)
    if not on_photograph:
        return check_steps(name, path, options, progress)
    from uol.conformance.paths.resnet50 import inference

    return inference.conform(options, progress).beside(check_steps(name, path, options, progress))


def drawn(name: str) -> DrawnPath:
    """The step of a path on drawn numbers. Raises UolError, with the paths there are, for any other name."""
    require_path(name)
    found: DrawnPath = import_module(f"uol.conformance.paths.{name}.draw")
    return found


def task_of(name: str) -> Task:
    """What training asks of a path. Raises UolError, with the paths there are, for any other name."""
    require_path(name)
    found: Task = import_module(f"uol.conformance.paths.{name}.task").TASK
    return found


def require_path(name: str) -> None:
    """Raises UolError, with the paths there are, for a name of none."""
    if name not in PATHS:
        raise UolError(f"unknown path {name!r}", hint=f"the paths are {', '.join(PATHS)}")

"""A training as a page: the losses of both sides in one plot. HTML that needs nothing else."""

from __future__ import annotations

from uol.conformance.paths.training.record import TrainingRecord
from uol.conformance.report import plots
from uol.conformance.report.page import environment


def training_page(record: TrainingRecord) -> str:
    """The page as text; where matplotlib is absent, without the plot."""
    plot = plots.losses({side: course.losses for side, course in record.courses.items()}) if plots.has_library() else ""
    return environment().get_template("training.html.j2").render(record=record, plot=plot, missing=plots.MISSING)

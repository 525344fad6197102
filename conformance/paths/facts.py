"""What a path's report says about where its data come from."""

from __future__ import annotations

from collections.abc import Sequence

from uol.compilation.request import Target
from uol.conformance.cases.machine import machine_facts
from uol.conformance.paths.record import PathOptions


def facts(options: PathOptions, targets: Sequence[Target]) -> dict[str, str]:
    """Facts by name, in the order in which a report shows them."""
    return {
        "targets": ", ".join(t.name for t in targets),
        "picture": options.image.name if options.image else 'scikit-learn\'s photograph "china.jpg", the middle 224 x 224',
        "weights": options.weights.name if options.weights else f"seeded ({options.seed}); statistics of the picture",
        "element type on the twins": options.dtypes[0],
        **machine_facts(),
    }

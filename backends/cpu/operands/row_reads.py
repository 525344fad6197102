"""What the rows of a Reduce read, each at places of its own. Nothing here needs TVM."""

from __future__ import annotations

from uol.codegen.indexing.affine import coefficient
from uol.codegen.specs.nodes import Read, Reduce
from uol.codegen.specs.traverse import accesses


def rows_read(spec: Reduce) -> tuple[Read, ...]:
    """What is read along the cols of a row, and elsewhere in the next row; one read of each tensor."""
    if not spec.rows or not spec.cols:
        return ()
    row, col = spec.rows[-1].name, spec.cols[-1].name
    found = [a for a in accesses(spec) if isinstance(a, Read) and not a.guard and coefficient(a.offset, col) == 1]
    return tuple({a.tensor: a for a in found if (coefficient(a.offset, row) or 0) > 0}.values())

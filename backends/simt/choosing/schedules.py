"""How a kernel is laid out on threads: the schedules of SIMT targets."""

from __future__ import annotations

from uol.backends.simt.attention.matrix.schedule import MatrixRows
from uol.backends.simt.attention.schedule import RowTile
from uol.backends.simt.elements.schedule import Bins, Elements, TransposedTile
from uol.backends.simt.products.few_rows.schedule import FewRows, FewRowsByUnits
from uol.backends.simt.products.matrix.schedule import MatrixTile
from uol.backends.simt.products.schedule import Tile
from uol.backends.simt.rows.schedule import Buckets, RowSchedule

Rows = RowSchedule | Buckets
Products = FewRows | FewRowsByUnits | MatrixTile | Tile
SimtSchedule = Elements | TransposedTile | Bins | Rows | Products | MatrixRows | RowTile

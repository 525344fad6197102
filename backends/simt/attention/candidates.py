"""Tiles of rows that an attention may take."""

from __future__ import annotations

from uol.backends.simt.attention.schedule import RowTile

ROW_TILES = (
    RowTile(64, 64, 16, 4),
    RowTile(64, 32, 16, 4),
    RowTile(32, 32, 16, 2),
    RowTile(16, 32, 16, 1),
    RowTile(16, 16, 16, 1),
    RowTile(4, 16, 16, 1),
)

"""Tiles that a product may take."""

from __future__ import annotations

from uol.backends.simt.products.schedule import Tile

TILES = (
    Tile(128, 128, 16, 8, 8),
    Tile(64, 64, 16, 4, 4),
    Tile(32, 64, 16, 2, 4),
    Tile(64, 32, 16, 4, 2),
    Tile(32, 32, 16, 2, 2),
    Tile(16, 64, 16, 2, 4),
    Tile(64, 16, 16, 4, 2),
    Tile(16, 16, 16, 2, 2),
)

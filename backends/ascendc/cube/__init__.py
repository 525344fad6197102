"""Products on the cube.

    kernel.py            Contract, tile by tile
    operands.py, loads.py, tiling.py    what it can fetch, how, in which tiles
"""

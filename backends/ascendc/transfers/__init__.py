"""Between global memory and the chip.

    loads.py, scalar_loads.py, stores.py, copies.py    what is fetched, and what is stored
    fills.py, computed_fills.py, guard_clipping.py     what a guarded read gives outside
    indices.py           index expressions in the scalar unit's C
"""

"""Between global memory and the chip.

loads.py, stores.py, copies.py    what is fetched and stored; bursts, clipped to guards
fills.py             what a guarded read gives outside
indices.py           index expressions in the scalar unit's C
"""

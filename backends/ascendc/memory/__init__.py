"""Memory on the chip.

    buffers.py, lifetimes.py, layout.py    buffers, when they are in use, where they lie
    cells.py             stretches that no buffer divides
"""

"""Kernels of the vector unit.

    map_kernel.py, reduce_kernel.py    the kinds, on kernel.py
    tile.py, tiling.py, core_loop.py   what a kernel works on
    unit.py, evaluate.py, values.py    instructions, their selection, and values
    folds.py, lane_folds.py            folds lane by lane, and across lanes
    predicates.py, compare_width.py, fp16_lanes.py, gather_offsets.py    masks and lanes
"""

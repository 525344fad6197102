"""Kernels of the vector unit.

map_kernel.py, reduce_kernel.py    the kinds, on kernel.py
tile.py, tiling.py                 what a kernel works on
unit.py, values.py                 instructions, and values
evaluate.py, evaluation.py, predicates.py    instruction selection; masks
folds.py, lane_folds.py            folds lane by lane, and across lanes
"""

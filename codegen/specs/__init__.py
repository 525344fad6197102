"""Kernel specs: what one kernel computes.

    nodes.py             the kinds of spec and their parts
    traverse.py, steps.py    expressions and steps of a spec, walked and rewritten
    rewrites.py, drop_unit_axes.py, collapse_axes.py    a spec as other specs; rebuild.py is what they do it with
    reduction_passes.py  the steps of a Reduce as passes over its columns
    in_place.py          which result may be written where an input lies
    expression_text.py   expressions for people
"""

"""The reference of a path: what its training step takes at best on a device, from its mathematics alone.

    graph.py       tensors, and what each is computed from; `conformance/paths/<path>/mathematics.py` has a path's
    units.py       which products are one, what is computed beside them, how their operands are read
    grouping.py    the cheapest groups, by an integer program: nobody writes them by hand
    timed.py       T_ref of each group on a device

The rule of groups
    Products are associated as written; those that share an operand and what they sum over, or that are only added, are one.
    Each is a group; so is an attention with what its rows go through. An operand may be elements of one tensor, beside vectors.
    A result may be followed, in its own index space, by elements, reductions along the last axis, and sums over other axes.
    All else are passes: windows, sums by routing, elements of two tensors before a product. A pass may be computed again in a
    pass or beside a product; a product never. No group spans the loss.
    A tensor crosses memory once a group: of a gather its source once, of every second line what is read. What passes from group
    to group is in the element type, truth values as bits, indices i32, statistics f32.
"""

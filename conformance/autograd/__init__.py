"""A typed operator text evaluated by PyTorch, with PyTorch's own autograd: what a gradient should be, from nothing that
the derivation of gradients, the interpreter or a backend is made of.

    points.py        the points of an iteration space at which a value is there
    values.py        expressions at points: reads, choices, functions
    dtypes.py        types, and casts to them
    reductions.py    reductions and sorts
    oracle.py        a whole program; its gradient and the gradient of that

Everything is evaluated at a list of points. What is lazy in the language is absent here: an arm of a `select`, the element
of a read that lies outside, and the terms that a bound leaves out have no point, so that they have no value, no cotangent
and no NaN that could leak.
"""

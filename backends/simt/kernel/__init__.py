"""Kernels as values: built, verified, counted and printed. Reductions over rows and products are; other kinds still write text.

    nodes.py      buffers, statements, a kernel      uses.py      names, accesses and kinds of expressions
    scope.py      builds the statements of a scope   verify.py    is a kernel well formed?
    printing.py   statements as C                    counts.py    what a kernel has, by walking it
    schedule_kind.py   a way of laying kernels on threads    templates.py    what prints files and signatures
    fold.py          a pass from body to body: what is known when a kernel is built is not asked for when it runs
    keep_values.py   a pass from kernel to kernel: values that loops compute again are kept
"""

"""Kernel specs: what one kernel computes.

    nodes.py, head.py, graph.py    the kinds of spec and their parts; the kernels of an operator
    traverse.py, steps.py    a spec of any kind walked and rebuilt; its steps as templates want them
    rewrites.py, residues.py, interleaved.py, drop_unit_axes.py, collapse_axes.py    a spec as other specs
    long_rows/, clear.py    for machines of many cores: few long rows as many short ones, each pass as a kernel, zeros before
                         additions
    search.py            how many of ascending keys come before a value
    runs.py, ends.py     columns that count for a row: where a key is the row's, or up to an end
    in_place.py          which result may be written where an input lies
    verify.py            does a spec keep its promises? promises.py, evaluations.py, type_rules.py say which
    printer.py, expression_text.py    specs, programs and expressions for people
"""

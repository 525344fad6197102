"""Expressions as C.

    printer.py, types.py    expressions
    term.py, terms.py    what only kernels have: variables, parts of records, calls of primitives
    signatures.py, counters.py    parameters, axes from a flat counter
    proofs.py    what is known of an index
"""

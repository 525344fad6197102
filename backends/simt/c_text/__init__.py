"""Expressions and scopes as C.

    printer.py, literals.py, types.py    expressions
    scope.py, signatures.py, counters.py    statements, parameters, axes from a flat counter
    index_width.py, proofs.py    what is known of an index
"""

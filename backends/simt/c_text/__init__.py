"""Expressions and scopes as C.

printer.py, types.py    expressions
scope.py, signatures.py, counters.py    statements, parameters, axes from a flat counter
proofs.py    what is known of an index
"""

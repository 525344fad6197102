"""From a tree to a typed program, rule by rule.

checker.py            an operator as a whole: every type, all sizes open
instantiation.py      an operator at types, ranks, dims and attributes; environment.py: what its names mean
statements.py         a statement, with sorts.py, scatters.py and calls.py for those of a kind of their own
values.py             an expression, with accesses.py, reductions.py and constants.py
variadic_dims.py      `*S` at a rank
name_rules.py, attributes.py, aliasing.py, promises.py, argument_binding.py: a rule each
messages.py           errors at a node
"""

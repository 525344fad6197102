"""Random operator texts, by number: what gradients are tried on.

draft.py         a text that is being written: its tensors, its statements, what is drawn
indices.py       index expressions: windows, reversals, remainders, quotients, sums of indices, data
values.py        what stands on the right of a statement
statements.py    statements: maps, scatters, sorts, calls
texts.py         a whole operator, with sizes and inputs
constructs.py    which constructs a text holds
"""

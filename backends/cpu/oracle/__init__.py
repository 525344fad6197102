"""The oracle: every spec as plain loops, built by LLVM.

oracle.py            an operator, run
primfunc.py, attention_loops.py, index_loops.py, sums.py    the loops of each kind
"""

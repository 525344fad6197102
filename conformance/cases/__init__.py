"""One operator on one target.

verdict.py, twin_check.py, truth.py    a case, checked
case_matrix.py, selection.py, default_workloads.py, memory_order.py    which cases there are
workers.py, matrix.py, agreement.py, machine.py    many cases; what their report says
guard_pages.py, shipped_kernels.py    fences around memory; kernels of a bundle
"""

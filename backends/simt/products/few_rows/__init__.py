"""Products of few rows, or of few columns, which read each weight once.

    schedule.py    how one lies on threads                    operands.py   the short operand and the long one
    choice.py      which schedules there are, best first      whole.py      title, signature and buffers of a kernel
    kernel.py      threads multiply: the kernel               sums.py       its end: sums of parts, and the epilogue
"""

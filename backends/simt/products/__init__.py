"""Products on threads.

    schedule.py        tiles of the result           contract_plan.py   the kernel
    operand.py         a factor on its way through shared memory
    epilogue.py        what becomes of a sum before it is stored
    segments.py        rows, or terms, in segments
"""

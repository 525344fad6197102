"""What a kernel moves and issues.

    scalars.py                 the scalar unit's integers, for many iterations at once
    walk.py                    from a program to its instructions with their iterations
    amounts.py                 what one instruction moves or computes
    sectors.py, divisors.py    sectors of global memory, and what is known of where bursts start
    tally.py                   all instructions together, core by core
    cycles.py                  how long each pipe takes for them
    issued.py                  the counts as code generation knows them
"""

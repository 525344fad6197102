"""Emitted kernels read back: what a launch of one moves and issues, counted from its text alone.

    syntax, parse   the statements and expressions of a kernel; a text as such
    facts           what is found once of a statement and of a loop; truth values that threads keep
    units           which unit a statement is for, and the operations in it
    lookups         values that data gives, known by where they lie
    lanes           values and conditions over blocks and threads; sectors and warps
    instructions    of what is one operation in a text and several in a machine
    merged          operations as a compiler leaves them: equal expressions once, what a loop does not change in front of it
    kernel_facts    what is found once of a kernel, however often it is read
    loops, calls    how many turns there are, and what decides in them; what functions of the device header issue
    alike_turns     whether a turn stands for all
    counts          sums of intervals, and what a sample says of all
    waits           how often a thread waits for memory, one wait after another
    expressions     values and accesses of expressions
    addresses       pointers, and what is moved through them: copies, words, rows of matrices, ranges
    stepping        pointers and places that a loop moves on by as much in each turn
    run             the text carried out over lanes, its data unknown, but for integers that it is given
"""

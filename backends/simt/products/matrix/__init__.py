"""Products on matrix units.

schedule.py      tiles, warps, stages            legality.py    which contractions, on which devices
operand.py       how an operand lies, in memory and in shared memory
gathered.py      rows of an operand that data names, lookups.py the statements that look for them
windows.py       operands of which some elements are not there
pieces.py        where terms in pieces lie, and whether they are there
convolutions.py  strides as products of residues, filters that lie otherwise
unrolling.py     turns of the loop over k that are written one after another
place.py         what a block and its threads are at; sums, one by one where accesses of 16 bytes may not begin
asynchronous.py  tiles come by asynchronous copies, fragments by ldmatrix (CUDA)
registers.py     tiles come through registers (moves.py), fragments by accesses of 16 bytes (HIP)
epilogue.py      what becomes of the sums        kernel.py      the whole
row_sums.py      sums of a's rows beside them    splitting.py   parts of the terms, the last perhaps shorter
"""

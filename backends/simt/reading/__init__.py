"""Emitted kernels read back: what a launch of one moves and issues, counted from its text alone.

syntax      the statements and expressions of a kernel
units       which unit a statement is for, and the operations in it
lanes       values and conditions over blocks and threads; sectors and warps
counts      sums of intervals, and what a sample says of all
run         the text carried out over lanes, its data unknown
"""

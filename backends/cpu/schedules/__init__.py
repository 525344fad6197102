"""How kernels are laid out on the processor: one schedule a kind of spec, each with its choice and its emission.

A schedule is a frozen dataclass; `candidates` gives those of a spec, best first, and `scheduled` the PrimFunc.
"""

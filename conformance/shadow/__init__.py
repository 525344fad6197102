"""What `uol.enabled(check=True)` holds each call to while a model runs.

judge         the watch of the block: what is checked of a call, in which order
contracts     a kernel's results, by the contract of its operator
beside        a call's results and gradients beside PyTorch's function in float64
gradients     the cotangents that pass through a call on the way back
faults        what is said of an element that is beyond its bound, and where in the user's code it was asked for
"""

"""From what a user says to an operator at types and sizes.

instance.py          what is bound; dims may be open
named_binding.py, tensor_binding.py    by names; by the tensors of a call
layouts.py, arrays.py, memory.py       strides, numpy arrays, what is too large
sample_sizes.py      sizes for what is open, on which a kernel is tried
argument_checks.py   arguments that are wrong
"""

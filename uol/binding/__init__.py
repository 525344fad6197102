"""From what a user says to an operator at types and sizes.

    named_binding.py, tensor_binding.py    by names; by tensors
    instance.py, open_instance.py    what is bound
    named_dims.py, solved_dims.py, dim_arithmetic.py, sample_sizes.py, static_sizes.py, any_size.py    dims
    attributes.py, argument_checks.py, layouts.py, arrays.py, buffers.py, addresses.py, memory_demand.py    all else of a call
"""

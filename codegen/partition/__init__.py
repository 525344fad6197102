"""Which stages become one kernel, and its spec.

    partition.py, group.py, division.py    the groups
    contraction.py, grouped_contraction.py, grouped_value.py    contractions that are found
    computed_factors.py  statements that a product computes as it loads
    step_writer.py       the steps of a kernel
"""

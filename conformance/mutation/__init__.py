"""Faults put into emitted kernels.

    mutate.py, control_faults.py, value_faults.py, fault_places.py, unused_fields.py    the mutants of a text
    planted.py           faults that people make, written down: in texts and kernels, with what finds each
    golden.py, judge.py  the kernels that are mutated, and what becomes of each mutant
"""

"""What a read of a statement says of the elements that it reads, turned round.

inverted_index.py     which indices read a given element, by linear_form.py and signs.py
transposed_index.py   the term that a read receives, as a sum over the indices that the read does not fix
guards.py             solved indices that may lie outside
scattering.py         the term of a read that has no inverse
"""

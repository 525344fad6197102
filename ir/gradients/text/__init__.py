"""Surface expressions as a derivation handles them.

algebra.py, integer_text.py, forms.py     sums of products; integer expressions; forms that are asked for
inference.py, local_inference.py          types and extents, of the text and of its locals
naming.py, substitution.py, nesting.py    names, exchanged names, reductions in statements of their own
rewriting.py, common_subexpressions.py    what is shorter, and what is named once
signature.py, scattered_sizes.py          the head, and the sizes of what is only added to
"""

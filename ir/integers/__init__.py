"""What is known about integers: indices, dims, attributes.

facts.py              the door: assumptions in scopes, proofs, simplified expressions
assumptions.py        what is assumed, sorted by what it is good for
terms.py             how conditions and index expressions are written, and what they give for numbers
polynomials.py, integer_conditions.py: normal forms, conditions on data
intervals.py, fourier_motzkin.py, counterexample.py, analyzer.py: the ways to decide, the cheapest first
"""
